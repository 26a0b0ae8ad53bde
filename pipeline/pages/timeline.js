"use strict";
// Joins each timeline to the player above it: a line marks the time of the frame, and a bar takes the player there.
// It follows skeleton_player.js, which makes window.players.

for (const section of document.querySelectorAll(".timed")) {
  const player = window.players.find((one) => one.figure.id === section.dataset.player);
  const duration = Number(section.dataset.duration);
  const readout = section.querySelector(".readout");
  const bars = [...section.querySelectorAll(".track button")].map((button) => (
    { button, start: Number(button.dataset.start), end: Number(button.dataset.end) }));
  const go = (start) => player.step(Math.min(player.clip.frames - 1, Math.ceil(start * player.clip.fps - 1e-6)));
  const follow = () => {
    const now = player.frame / player.clip.fps;
    section.style.setProperty("--now", Math.min(1, now / duration));
    const shown = bars.find(({ start, end }) => start <= now && now < end);
    for (const bar of bars) bar.button.classList.toggle("shown", bar === shown);
    readout.textContent = `${now.toFixed(1)} s: ${shown ? shown.button.getAttribute("aria-label") : "nothing is said"}`;
  };
  for (const button of section.querySelectorAll("button[data-start]"))
    button.addEventListener("click", () => go(Number(button.dataset.start)));
  new MutationObserver(follow).observe(player.figure, { attributes: true, attributeFilter: ["data-frame"] });
  follow();
}
