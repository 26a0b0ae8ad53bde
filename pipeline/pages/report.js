"use strict";
// Draws the plots of a report with plotly, in the light or dark colours of the page, and lets the keyboard work them:
// the arrows move from point to point, + and - zoom, 0 goes back. A line below each plot says in words what is pointed at.

const TEMPLATES = JSON.parse(document.getElementById("templates").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const NARROW_PIXELS = 560;
const LEGEND_PIXELS = 19; // the height of a line of the legend; in a narrow plot each name takes a line
// Only buttons that work in the page: plotly has another one, which would send the data to its makers' site.
const CONFIG = {
  responsive: true,
  displaylogo: false,
  plotlyServerURL: "",
  modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
};
const LIGHTER = [/#0072B2/gi, "#3a95d8"]; // this blue is too dark on a dark background
const scheme = () => (dark.matches ? TEMPLATES.dark : TEMPLATES.light);
const plain = (html) => new DOMParser().parseFromString(String(html).replace(/<br>/g, "; "), "text/html").body.textContent;

class Drawing {
  constructor(figure) {
    this.place = figure.querySelector(".drawing");
    this.readout = figure.querySelector(".readout");
    this.source = figure.querySelector("script").textContent;
    this.at = null;
    this.drawn = this.draw().then(() => {
      this.place.on("plotly_hover", (event) => this.read(event.points[0]));
      this.place.addEventListener("keydown", (event) => this.key(event));
      dark.addEventListener("change", () => this.draw());
    });
  }

  // Draws the plot unzoomed, in the colours that the page has now.
  draw() {
    const { data, layout, meta } = JSON.parse(dark.matches ? this.source.replaceAll(...LIGHTER) : this.source);
    [this.data, this.meta] = [data, meta];
    if (this.narrow()) {
      if (meta.codes) data[0].x = data[0].y = meta.codes;
      layout.height += LEGEND_PIXELS * Math.max(0, data.filter((trace) => trace.showlegend !== false).length - 2);
    }
    layout.template = scheme();
    this.home = structuredClone({ xaxis: layout.xaxis, yaxis: layout.yaxis }); // zooming changes the layout itself
    return Plotly.react(this.place, data, layout, CONFIG);
  }

  narrow() {
    return this.place.clientWidth < NARROW_PIXELS;
  }

  read(point) {
    const trace = point.data;
    let words;
    if (trace.type === "heatmap") {
      const [row, column] = point.pointIndex || point.pointNumber;
      const share = point.z.toFixed(1);
      words = `${this.meta.names[row]}, taken for ${this.meta.names[column]}: ${share} % of its clips (${point.customdata})`;
    } else if (typeof point.customdata === "string") words = plain(point.customdata);
    else if (trace.text) words = plain(point.text);
    else words = `${plain(trace.name)}: ${Number(point.x).toPrecision(4)}, ${Number(point.y).toPrecision(4)}`;
    this.readout.textContent = words;
  }

  // The traces that can be pointed at now, with their points.
  lines() {
    return this.place.calcdata
      .map((points, curve) => ({ points, curve }))
      .filter(({ points }) => points[0].trace.visible === true && points[0].trace.hoverinfo !== "skip");
  }

  move(right, down) {
    const heatmap = this.data[0].type === "heatmap";
    const lines = this.lines();
    if (!lines.length) return;
    const size = this.meta.names ? this.meta.names.length : 0;
    const wrap = (value, length) => ((value % length) + length) % length;
    if (!this.at) this.at = [0, 0];
    else if (heatmap) this.at = [wrap(this.at[0] + down, size), wrap(this.at[1] + right, size)];
    else {
      const line = wrap(this.at[0] + down, lines.length);
      const start = down ? Math.min(this.at[1], lines[line].points.length - 1) : this.at[1];
      this.at = [line, wrap(start + right, lines[line].points.length)];
    }
    const [row, column] = this.at;
    const curve = heatmap ? 0 : lines[row].curve;
    Plotly.Fx.hover(this.place, heatmap ? { xval: column, yval: row } : [{ curveNumber: curve, pointNumber: column }]);
    const trace = this.place._fullData[curve]; // plotly sends hover events for a mouse only, so the point is built here
    const of = (values) => values && (heatmap ? values[row][column] : values[column]);
    const [z, customdata, text] = [of(heatmap && trace.z), of(trace.customdata), of(trace.text)];
    this.read({ data: trace, pointIndex: this.at, x: of(!heatmap && trace.x), y: of(!heatmap && trace.y), z, customdata, text });
  }

  zoom(factor) {
    const full = this.place._fullLayout;
    const change = {};
    for (const name of ["xaxis", "yaxis"]) {
      const [from, to] = full[name].range;
      const middle = (from + to) / 2;
      change[`${name}.range`] = [middle + (from - middle) * factor, middle + (to - middle) * factor];
    }
    Plotly.relayout(this.place, change);
  }

  back() {
    const change = {};
    for (const name of ["xaxis", "yaxis"]) {
      const { range, autorange } = this.home[name];
      if (range) change[`${name}.range`] = range.slice();
      else change[`${name}.autorange`] = autorange || true;
    }
    Plotly.relayout(this.place, change);
  }

  key(event) {
    if (event.target !== this.place || event.altKey || event.ctrlKey || event.metaKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (arrows) this.move(...arrows);
    else if (event.key === "+" || event.key === "=") this.zoom(0.7);
    else if (event.key === "-") this.zoom(1 / 0.7);
    else if (event.key === "0") this.back();
    else return;
    event.preventDefault();
  }
}

window.drawings = [...document.querySelectorAll("figure.plot")].map((figure) => new Drawing(figure));
window.drawn = Promise.all(window.drawings.map((drawing) => drawing.drawn)).then(() => true);
