/**
 * Seconds since 1970 when this software was built: it did not exist before, so an earlier wall
 * clock is wrong. The build puts its own moment here; sources say 2026-11-01T00:00:00Z.
 */
export const BUILD_SECOND = 1_793_491_200;
