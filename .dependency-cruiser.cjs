// Room rules: who may import whom (firmware-ts/ARCHITECTURE.md, "Imports").
const room = (...names) => `^firmware-ts/(${names.join('|')})/`;
const PURE = ['bytes', 'protocol', 'reading', 'policy', 'contract'];
const MACHINE = ['system', 'link', 'identity'];
const STAGES = ['acquisition', 'store', 'applet', 'uplink', 'update'];

/** Stages stay apart, except that applet and uplink work from the store. */
const stageRules = STAGES.map((stage) => ({
  name: `stage-${stage}-stays-apart`,
  severity: 'error',
  from: { path: room(stage) },
  to: {
    path: room(
      ...STAGES.filter(
        (other) => other !== stage && !(other === 'store' && ['applet', 'uplink'].includes(stage)),
      ),
      'control',
      'config',
      'sim',
    ),
  },
}));

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'pure-imports-pure',
      severity: 'error',
      from: { path: room(...PURE) },
      to: { pathNot: room(...PURE) },
    },
    {
      name: 'protocol-knows-no-reading',
      severity: 'error',
      from: { path: room('protocol', 'bytes') },
      to: { path: room('reading', 'policy', 'contract') },
    },
    {
      name: 'machine-imports-machine-and-pure',
      severity: 'error',
      from: { path: room(...MACHINE) },
      to: { path: '^firmware-ts/', pathNot: room(...PURE, ...MACHINE) },
    },
    ...stageRules,
    {
      name: 'nobody-imports-main',
      severity: 'error',
      from: { path: '^(firmware-ts|test|ci)/' },
      to: { path: '^firmware-ts/main\\.ts$' },
    },
    {
      name: 'only-tests-look-into-the-top',
      severity: 'error',
      from: { path: '^(firmware-ts|ci)/', pathNot: [room('cli'), room('status')] },
      to: { path: room('cli', 'status') },
    },
    {
      name: 'only-main-composes',
      severity: 'error',
      from: {
        path: '^firmware-ts/',
        pathNot: [
          '^firmware-ts/main\\.ts$',
          '^firmware-ts/sim/life/process\\.ts$', // a process that is simulated
          room('gateway'),
        ],
      },
      to: { path: room('gateway') },
    },
    {
      name: 'firmware-never-imports-test',
      severity: 'error',
      from: { path: '^firmware-ts/' },
      to: { path: '^(test|ci)/' },
    },
    {
      name: 'rooms-by-name',
      comment: 'Cross-room imports are written #room/file.ts.',
      severity: 'error',
      from: { path: '^firmware-ts/([^/]+)/' },
      to: {
        path: '^firmware-ts/',
        pathNot: '^firmware-ts/$1/',
        dependencyTypesNot: ['aliased-subpath-import'],
      },
    },
    {
      name: 'no-dev-dependency-at-run-time',
      severity: 'error',
      from: { path: '^firmware-ts/', pathNot: room('sim') },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
