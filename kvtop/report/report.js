"use strict";
// Gives each flamegraph's frame the height of what is drawn in it, now and when that is redrawn.
(() => {
  for (const frame of document.querySelectorAll("iframe")) {
    const fit = () => {
      const svg = frame.contentDocument?.querySelector("svg.kvtop");
      if (!svg) return;
      const resize = () => { frame.height = Number(svg.getAttribute("height")) + 2; };
      new MutationObserver(resize).observe(svg, { attributes: true, attributeFilter: ["height"] });
      resize();
    };
    if (frame.contentDocument?.readyState === "complete") fit();
    frame.addEventListener("load", fit);
  }
})();
