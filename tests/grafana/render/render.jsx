// Draws the panels of a dashboard with Grafana's own components, from the rows that its queries gave. The history is
// left out: the panel that shows it is part of Grafana's application and of no package.
// Not `import`: between the two kinds of modules some components would arrive wrapped in an object.
const { createRoot } = require('react-dom/client');
const { firstValueFrom } = require('rxjs');
const {
  FieldType, Registry, ThemeContext, applyFieldOverrides, booleanOverrideProcessor, createTheme, getFieldDisplayValues,
  identityOverrideProcessor, standardTransformers, standardTransformersRegistry, toDataFrame, transformDataFrame,
} = require('@grafana/data');
const {
  BigValue, BigValueColorMode, BigValueGraphMode, BigValueJustifyMode, BigValueTextMode, GlobalStyles, PanelChrome,
  Table,
} = require('@grafana/ui');

const ROW = 30, GAP = 8, COLUMNS = 24, PHONE = 769;

// Some have two names.
const transformers = new Map(Object.values(standardTransformers).map((known) => [known.id, known]));
standardTransformersRegistry.setInit(() =>
  [...transformers.values()].map((known) => ({ id: known.id, name: known.name, transformation: known })));

// The properties that the dashboard sets; Grafana's application registers them with its editors.
const properties = ['unit', 'decimals', 'noValue', 'mappings', 'thresholds', 'color', 'links', 'displayName'];
const custom = ['align', 'cellOptions', 'inspect', 'width', 'minWidth', 'hidden'];
const registered = [
  ...properties.map((id) => ({ id, path: id })),
  ...custom.map((id) => ({ id: `custom.${id}`, path: id, isCustom: true })),
];
const fieldConfigRegistry = new Registry(() =>
  registered.map((item) => ({
    name: item.id, process: item.id === 'custom.inspect' ? booleanOverrideProcessor : identityOverrideProcessor,
    shouldApply: () => true, ...item,
  })));

const TYPES = { string: FieldType.string, number: FieldType.number, timestamp: FieldType.time };

function frame(panel, rows) {
  const { columns } = panel.targets[0];
  const found = Object.entries(rows[0] ?? {}).map(([text, value]) => ({ text, type: typeof value }));
  const fields = (columns.length ? columns : found).map(({ text, type }) => ({
    name: text, type: TYPES[type], config: {},
    values: rows.map((row) => (type === 'timestamp' && row[text] ? Date.parse(row[text]) : row[text] ?? null)),
  }));
  return toDataFrame({ refId: 'A', fields });
}

// What the variables of links stand for is nothing that a picture shows.
const replaceVariables = (text) => text;

async function prepared(panel, rows, theme) {
  const data = await firstValueFrom(transformDataFrame(panel.transformations ?? [], [frame(panel, rows)]));
  const { fieldConfig } = panel;
  return applyFieldOverrides({ data, fieldConfig, theme, timeZone: 'utc', replaceVariables, fieldConfigRegistry });
}

function Empty({ panel }) {
  return <div className="empty">{panel.fieldConfig.defaults.noValue}</div>;
}

function Stat({ panel, data, theme, width, height }) {
  const { fieldConfig, options: { reduceOptions } } = panel;
  const given = { fieldConfig, reduceOptions, replaceVariables, theme, data, timeZone: 'utc' };
  const [value] = getFieldDisplayValues(given);
  return <BigValue value={value.display} width={width} height={height} theme={theme} colorMode={BigValueColorMode.Value}
    graphMode={BigValueGraphMode.None} justifyMode={BigValueJustifyMode.Auto} textMode={BigValueTextMode.Value} />;
}

function Panel({ panel, data, theme, place }) {
  const content = (width, height) => {
    if (!data || !data.some((part) => part.length)) return <Empty panel={panel} />;
    const size = { width, height };
    if (panel.type === 'stat') return <Stat panel={panel} data={data} theme={theme} {...size} />;
    return <Table data={data[0]} fieldConfig={panel.fieldConfig} cellHeight={panel.options.cellHeight} {...size} />;
  };
  return (
    <div className="place" style={{ left: place.x, top: place.y, width: place.w, height: place.h }}>
      <PanelChrome title={panel.title} description={panel.description} width={place.w} height={place.h}
        statusMessage={data ? undefined : 'the query failed'}>
        {content}
      </PanelChrome>
    </div>
  );
}

function places(panels, width) {
  if (width < PHONE) {
    let y = GAP;
    return panels.map(({ gridPos: { h } }) => {
      const place = { x: GAP, y, w: width - 2 * GAP, h: h * ROW + (h - 1) * GAP };
      y += place.h + GAP;
      return place;
    });
  }
  const column = (width - GAP) / COLUMNS;
  return panels.map(({ gridPos: { x, y, w, h } }) => ({
    x: GAP + x * column, y: GAP + y * (ROW + GAP), w: w * column - GAP, h: h * ROW + (h - 1) * GAP,
  }));
}

let root;

// Draws as at `now`, in milliseconds, and says how high it became and what can be read.
window.draw = async (dashboard, answers, width, dark, now) => {
  Date.now = () => now;
  const theme = createTheme({ colors: { mode: dark ? 'dark' : 'light' } });
  document.body.style.background = theme.colors.background.canvas;
  document.body.style.color = theme.colors.text.primary;
  const panels = dashboard.panels.filter((panel) => panel.type !== 'state-timeline');
  const rows = panels.map((panel) => answers[panel.title]);
  const data = await Promise.all(panels.map((panel, index) => rows[index] && prepared(panel, rows[index], theme)));
  const where = places(panels, width);
  const height = Math.max(...where.map((place) => place.y + place.h)) + GAP;
  document.getElementById('dashboard').style.height = `${height}px`;
  root ??= createRoot(document.getElementById('dashboard'));
  const drawn = panels.map((panel, index) =>
    <Panel key={`${panel.id} ${dark} ${width}`} panel={panel} data={data[index]} theme={theme} place={where[index]} />);
  root.render(<ThemeContext.Provider value={theme}><GlobalStyles />{drawn}</ThemeContext.Provider>);
  await document.fonts.ready;
  // Tables measure themselves and draw again.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const text = [...document.querySelectorAll('.place')].map((place) => place.innerText);
  return { height, text };
};
