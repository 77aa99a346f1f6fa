import type { Part } from './kept-run.ts';
import { joinedRuns } from './kept-run.ts';
import type { OldRow, Statements } from './statements.ts';

/** Of a row of what is kept at home; a larger one gains little, and is read as a whole. */
export const SEGMENT_BYTES_MAX = 64 << 10;

/** Observations of one source, as a row of their own. */
export type Segment = Part & Pick<OldRow, 'storedMs' | 'boot'>;

/**
 * Joins parts, the oldest first, to segments of one source each. Where the source has a row of its
 * own between two of them, they stay apart: rows follow each other by their ids.
 */
export function* segmentsOf(
  parts: readonly Segment[],
  { ownIds }: Pick<Statements, 'ownIds'>,
): Generator<Segment> {
  for (const [source, its] of Map.groupBy(parts, (part) => part.source)) {
    const own = ownIds.all(source, its[0]?.id ?? 0);
    let together: Segment[] = [];
    let size = 0;
    for (const part of its) {
      size += part.plain.length;
      if (size > SEGMENT_BYTES_MAX || !follows(together.at(-1), part, own)) {
        yield* joined(together);
        [together, size] = [[], part.plain.length];
      }
      together.push(part);
    }
    yield* joined(together);
  }
}

function follows(last: Segment | undefined, part: Segment, own: readonly number[]): boolean {
  if (last === undefined) return true;
  return last.boot === part.boot && !own.some((id) => id > last.id && id < part.id);
}

/** Under the id of the first; times are those of the last. */
function joined(together: readonly Segment[]): readonly Segment[] {
  const [first] = together;
  const last = together.at(-1);
  if (first === undefined || last === undefined) return [];
  const readings = together.reduce((sum, part) => sum + part.readings, 0);
  const count = last.id + last.count - first.id;
  return [{ ...last, id: first.id, count, readings, plain: joinedRuns(together) }];
}
