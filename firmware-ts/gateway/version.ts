import manifest from '../../package.json' with { type: 'json' };

/** The release, as `normctl version`, the status and the presence message tell it. */
export const VERSION = manifest.version;
