(() => {
  const config = { responsive: true, displaylogo: false, scrollZoom: false,
    showSendToCloud: false, plotlyServerURL: "", // plotly.js has a button that uploads a picture
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "resetCameraLastSave3d"] };
  const plots = [...document.querySelectorAll(".plot")];
  const next = () => {
    const plot = plots.shift();
    if (!plot) { document.documentElement.dataset.ready = "yes"; return; }
    const { data, layout } = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
    if (innerWidth < 620) {
      layout.margin = { ...layout.margin, l: layout.scene ? 0 : 44, r: layout.scene ? 0 : 6 };
      layout.font.size = 11;
      config.displayModeBar = false;
    }
    Plotly.newPlot(plot, data, layout, config).then(() => setTimeout(next, 0));
  };
  next();
})();
