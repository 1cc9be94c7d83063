// Owns drawing the charts of a page from the JSON beside them; the server decides every number, colour slot, word
// and address.
(function () {
  "use strict";
  if (!window.echarts) return;
  const money = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
  const small = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", minimumFractionDigits: 4, maximumFractionDigits: 4 });
  const compact = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", notation: "compact", maximumFractionDigits: 1 });
  const counts = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 2 });
  const charts = new Map();
  const UNITS = {
    usd: { full: (value) => money.format(value), axis: (value) => compact.format(value) },
    usd_per_million: { full: (value) => (Math.abs(value) >= 1 || Number(value) === 0 ? money : small).format(value), axis: (value) => money.format(value) },
    tokens: { full: (value) => counts.format(value), axis: (value) => counts.format(value) },
  };

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

  // Faint enough that a month of hatched bars can still be read, plain enough to be seen on one.
  function hatch(ground) {
    return { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [1.25, 4.75], rotation: -Math.PI / 4, color: ground.replace(/^rgb\((.*)\)$/, "rgba($1, 0.5)") };
  }

  class CostChart {
    constructor(block) {
      this.place = block.querySelector("[data-chart]");
      this.data = JSON.parse(block.querySelector('script[type="application/json"]').textContent);
      this.legend = block.querySelector(".legend");
      this.unit = UNITS[this.data.unit];
      this.picked = new Set(); // none picked: all are shown
      this.chart = echarts.init(this.place, null, { renderer: "canvas" });
      if (this.legend) this.legend.addEventListener("click", (event) => this.pick(event));
      if (this.data.links.length) this.lead();
      this.observer = new ResizeObserver(() => this.chart.resize());
      this.observer.observe(this.place);
      this.draw();
    }

    end() {
      this.observer.disconnect();
      this.chart.dispose();
    }

    pick(event) {
      const button = event.target.closest("button");
      if (!button) return;
      const index = Number(button.dataset.series);
      if (!this.picked.delete(index)) this.picked.add(index);
      button.setAttribute("aria-pressed", String(this.picked.has(index)));
      this.legend.classList.toggle("some", this.picked.size > 0);
      this.draw();
    }

    shows(index) {
      return this.picked.size === 0 || this.picked.has(index);
    }

    // A click anywhere in the column of a bar opens its days.
    lead() {
      const ground = this.chart.getZr();
      const at = (event) => {
        const point = [event.offsetX, event.offsetY];
        return this.chart.containPixel("grid", point) ? this.chart.convertFromPixel({ gridIndex: 0 }, point)[0] : -1;
      };
      ground.on("click", (event) => {
        const link = this.data.links[at(event)];
        if (link) location.assign(link);
      });
      ground.on("mousemove", (event) => ground.setCursorStyle(this.data.links[at(event)] ? "pointer" : "default"));
    }

    tooltip(colours) {
      const { data } = this;
      return {
        trigger: "axis",
        // Rich text is drawn on the canvas; HTML would need inline styles, which the page's policy forbids.
        renderMode: "richText",
        confine: true,
        axisPointer: { type: data.cumulative || !data.stacked ? "line" : "shadow", shadowStyle: { color: colours.hover }, lineStyle: { color: colours.line } },
        backgroundColor: colours.raised,
        borderColor: colours.line,
        textStyle: { color: colours.ink, fontFamily: colours.font, fontSize: 12, rich: { b: { fontWeight: 600, fontFamily: colours.font, color: colours.ink } } },
        formatter: (points) => {
          const at = points[0].dataIndex;
          const lines = points
            .filter((point) => point.seriesIndex < data.series.length && Number(data.series[point.seriesIndex].amounts[at]) !== 0)
            .map((point) => `${point.marker} ${data.series[point.seriesIndex].label}  ${this.unit.full(data.series[point.seriesIndex].amounts[at])}`)
            .reverse();
          const state = data.missing[at] ? "  (missing)" : data.provisional[at] ? "  (provisional)" : "";
          if (!data.stored[at]) return `{b|${data.labels[at]}${state}}\nNot stored`;
          const before = data.previous[at] === null ? [] : [`Previous period  ${this.unit.full(data.previous[at])}`];
          const whole = data.totals[at] === null ? [] : [`${data.stacked ? "Total" : "All together"}  ${this.unit.full(data.totals[at])}`];
          return [`{b|${data.labels[at]}${state}}`, ...whole, ...before, ...lines].join("\n");
        },
      };
    }

    series(read, colours) {
      const { data } = this;
      const stacked = data.series.map((one, index) => {
        const colour = read("slot-" + one.slot);
        const shown = one.amounts.map((amount) => (this.shows(index) ? Number(amount) : 0));
        if (!data.stacked) {
          return { name: one.label, type: "line", symbol: "circle", symbolSize: 4, showSymbol: data.labels.length < 40, lineStyle: { width: 2, color: colour }, itemStyle: { color: colour }, data: this.shows(index) ? one.amounts.map((amount) => (Number(amount) ? Number(amount) : null)) : [] };
        }
        if (data.cumulative) {
          return { name: one.label, type: "line", stack: "cost", symbol: "none", lineStyle: { width: 1, color: colour }, itemStyle: { color: colour }, areaStyle: { color: colour, opacity: 0.85 }, data: shown };
        }
        return {
          name: one.label,
          type: "bar",
          stack: "cost",
          barCategoryGap: "22%",
          itemStyle: { color: colour, borderColor: colours.raised, borderWidth: 0.5 },
          data: shown.map((value, at) => ({ value, itemStyle: { decal: data.provisional[at] ? hatch(colours.raised) : { symbol: "none" } } })),
        };
      });
      if (data.previous.every((amount) => amount === null) || this.picked.size) return stacked;
      return [...stacked, {
        name: "Previous period", type: "line", symbol: "none", z: 5, silent: true,
        lineStyle: { width: 1.5, color: colours.ink, opacity: 0.7, type: [5, 3] }, itemStyle: { color: colours.ink },
        data: data.previous.map((amount) => (amount === null ? null : Number(amount))),
      }];
    }

    draw() {
      const { read, end } = resolver();
      const colours = {
        ink: read("ink"), quiet: read("ink-quiet"), line: read("line"), raised: read("raised"), hover: read("hover"),
        font: getComputedStyle(document.body).fontFamily,
      };
      const series = this.series(read, colours);
      end();
      this.chart.setOption({
        animation: false,
        // Item patterns are only drawn while this is on; the words for assistive technology are in the page.
        aria: { enabled: true, label: { enabled: false }, decal: { show: true, decals: [{ symbol: "none" }] } },
        textStyle: { fontFamily: colours.font },
        grid: { left: 4, right: 4, top: 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
        tooltip: this.tooltip(colours),
        xAxis: {
          type: "category", data: this.data.short, z: 3, axisTick: { show: false }, boundaryGap: !this.data.cumulative,
          axisLine: { lineStyle: { color: colours.line } },
          axisLabel: { color: colours.quiet, hideOverlap: true, fontSize: 11 },
        },
        yAxis: {
          type: "value", axisLabel: { color: colours.quiet, formatter: this.unit.axis, fontSize: 11 },
          splitLine: { lineStyle: { color: colours.line } },
        },
        series,
      }, { notMerge: true });
      this.place.dataset.drawn = "yes";
    }
  }

  // Parts of a page are replaced: draw what came, and let go of what went.
  function look() {
    for (const [block, chart] of charts) {
      if (block.isConnected) continue;
      chart.end();
      charts.delete(block);
    }
    for (const block of document.querySelectorAll("[data-chart-block]")) {
      if (!charts.has(block)) charts.set(block, new CostChart(block));
    }
  }

  document.addEventListener("themechange", () => charts.forEach((chart) => chart.draw()));
  document.addEventListener("htmx:load", look);
  look();
})();
