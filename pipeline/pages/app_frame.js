"use strict";
// Tells the page around this frame how high its contents are; app_page.js makes the frame as high.
new ResizeObserver(() => window.parent.postMessage({ height: document.documentElement.offsetHeight }, "*"))
  .observe(document.documentElement);
