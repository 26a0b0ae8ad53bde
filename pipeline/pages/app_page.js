() => {
  // A frame says how high its contents are (app_frame.js). It can't be measured from here: it is a page of its own.
  window.addEventListener("message", (event) => {
    const frame = [...document.querySelectorAll("#motion iframe")].find((one) => one.contentWindow === event.source);
    if (frame && Number.isFinite(event.data?.height)) frame.style.height = `${Math.min(20000, event.data.height)}px`;
  });
}
