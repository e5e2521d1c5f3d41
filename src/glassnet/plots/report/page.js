(() => {
  const config = { responsive: true, displaylogo: false, scrollZoom: false,
    showSendToCloud: false, plotlyServerURL: "", // plotly.js has a button that uploads a picture
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "resetCameraLastSave3d"] };
  // A step says which keys of which traces are new; all else stays.
  const slide = (plot, data, layout, steps) => {
    const input = plot.parentElement.querySelector("input"), words = plot.parentElement.querySelector("output");
    let due = 0;
    const show = () => {
      due = 0;
      const { label, traces } = steps[input.value];
      words.textContent = label;
      input.setAttribute("aria-valuetext", label);
      Plotly.react(plot, data.map((trace, i) => (traces[i] ? { ...trace, ...traces[i] } : trace)), layout, config);
    };
    input.addEventListener("input", () => { due ||= requestAnimationFrame(show); });
    if (+input.value !== steps.length - 1) show(); // a browser keeps the place of a slider when it loads anew
  };
  const plots = [...document.querySelectorAll(".plot")];
  const next = () => {
    const plot = plots.shift();
    if (!plot) { document.documentElement.dataset.ready = "yes"; return; }
    const { data, layout, steps } = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    if (innerWidth < 620) {
      for (const [axis, change] of Object.entries(layout.meta?.narrow ?? {})) Object.assign(layout[axis], change);
      layout.margin = { ...layout.margin, l: layout.scene ? 0 : 44, r: layout.scene ? 0 : 6 };
      layout.font.size = 11;
      config.displayModeBar = false;
    }
    Plotly.newPlot(plot, data, layout, config).then(() => {
      if (steps) slide(plot, data, layout, steps);
      setTimeout(next, 0);
    });
  };
  next();
})();
