// Owns drawing the cost chart from the JSON in the page; the server decides every number, colour slot and word.
(function () {
  "use strict";
  const place = document.getElementById("chart");
  const source = document.getElementById("chart-data");
  if (!place || !source || !window.echarts) return;
  const data = JSON.parse(source.textContent);
  const hidden = new Set();
  const money = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
  const round = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", notation: "compact", maximumFractionDigits: 1 });
  let chart = null;

  // Custom properties hold unresolved light-dark() pairs; an element's computed colour is the one in use.
  function resolver() {
    const probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
    const read = (name) => {
      probe.style.color = `var(--${name})`;
      return getComputedStyle(probe).color;
    };
    return { read, end: () => probe.remove() };
  }

  function hatch(ground) {
    return { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [1.5, 4.5], rotation: -Math.PI / 4, color: ground };
  }

  function tooltip(colours) {
    return {
      trigger: "axis",
      // Rich text is drawn on the canvas; HTML would need inline styles, which the page's policy forbids.
      renderMode: "richText",
      confine: true,
      axisPointer: { type: "shadow", shadowStyle: { color: colours.hover } },
      backgroundColor: colours.raised,
      borderColor: colours.line,
      textStyle: { color: colours.ink, fontFamily: colours.font, fontSize: 12, rich: { b: { fontWeight: 600, fontFamily: colours.font, color: colours.ink } } },
      formatter: (points) => {
        const at = points[0].dataIndex;
        const lines = points
          .filter((point) => Number(data.series[point.seriesIndex].amounts[at]) !== 0)
          .map((point) => `${point.marker} ${data.series[point.seriesIndex].label}  ${money.format(data.series[point.seriesIndex].amounts[at])}`)
          .reverse();
        const state = data.provisional[at] ? "  (provisional)" : "";
        return [`{b|${data.labels[at]}${state}}`, `Total  ${money.format(data.totals[at])}`, ...lines].join("\n");
      },
    };
  }

  function options() {
    const { read, end } = resolver();
    const colours = {
      ink: read("ink"), quiet: read("ink-quiet"), line: read("line"), raised: read("raised"), hover: read("hover"),
      font: getComputedStyle(document.body).fontFamily,
    };
    const series = data.series.map((one, index) => ({
      name: one.label,
      type: "bar",
      stack: "cost",
      barCategoryGap: "22%",
      itemStyle: { color: read("slot-" + one.slot), borderColor: colours.raised, borderWidth: 0.5 },
      data: one.amounts.map((amount, at) => ({
        value: hidden.has(index) ? 0 : Number(amount),
        itemStyle: { decal: data.provisional[at] ? hatch(colours.raised) : { symbol: "none" } },
      })),
    }));
    end();
    return {
      animation: false,
      // Item patterns are only drawn while this is on; the words for assistive technology are in the page.
      aria: { enabled: true, label: { enabled: false }, decal: { show: true, decals: [{ symbol: "none" }] } },
      textStyle: { fontFamily: colours.font },
      grid: { left: 4, right: 4, top: 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      tooltip: tooltip(colours),
      xAxis: {
        type: "category", data: data.short, z: 3, axisTick: { show: false },
        axisLine: { lineStyle: { color: colours.line } },
        axisLabel: { color: colours.quiet, hideOverlap: true, fontSize: 11 },
      },
      yAxis: {
        type: "value", axisLabel: { color: colours.quiet, formatter: (value) => round.format(value), fontSize: 11 },
        splitLine: { lineStyle: { color: colours.line } },
      },
      series,
    };
  }

  function draw() {
    if (!chart) chart = echarts.init(place, null, { renderer: "canvas" });
    chart.setOption(options(), { notMerge: true });
    place.dataset.drawn = "yes";
  }

  const legend = document.getElementById("legend");
  legend.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const index = Number(button.dataset.series);
    if (!hidden.delete(index)) hidden.add(index);
    button.setAttribute("aria-pressed", String(!hidden.has(index)));
    draw();
  });

  document.addEventListener("themechange", draw);
  new ResizeObserver(() => chart && chart.resize()).observe(place);
  draw();
})();
