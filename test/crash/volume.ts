import type { Entropy } from '#system/entropy.ts';
import type { ContentChange, IoEvent } from './io-log.ts';

/** Paths below a root with the content of each file; `undefined` is a directory. */
export type Image = ReadonlyMap<string, Uint8Array | undefined>;

/** What a power cut does to what was not synced. */
export interface Luck {
  /** How much of the changed content reached the disk: of writes whole ones, or sectors. */
  readonly contents: 'none' | 'all' | 'some' | 'torn';
  /** Changes of names: in the order of a journal up to some point, or each by chance. */
  readonly names: 'none' | 'all' | 'first' | 'some';
}

/** What a disk writes whole or not at all, whatever the file system's block. */
const SECTOR_BYTES = 512;

interface Pending<Change> {
  /** Number of the event. */
  readonly at: number;
  readonly change: Change;
}

interface FileNode {
  durable: Content;
  pending: Pending<ContentChange>[];
}

type NameChange =
  | { readonly kind: 'create'; readonly path: string; readonly node: FileNode | undefined }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly path: string };

type Names = Map<string, FileNode | undefined>;

/**
 * Replays a log of I/O and answers what a power cut would leave behind at each of its places. What
 * an fsync has covered is there; all else is as luck has it: a later change may be there without an
 * earlier one. A file's fsync does not make its name durable, that of its directory does.
 */
export class Volume {
  readonly #root: string;
  readonly #durable: Names = new Map();
  readonly #current: Names;
  #pending: Pending<NameChange>[] = [];
  readonly #open = new Map<number, { path: string; node: FileNode | undefined; synced: number }>();
  #at = 0;

  /** `root` is there from the start, with all of `base` durably in it. */
  constructor(root: string, base: Image = new Map()) {
    this.#root = root;
    for (const [path, bytes] of base) {
      const content = new Content();
      content.write(0, bytes ?? new Uint8Array(0));
      this.#durable.set(path, bytes === undefined ? undefined : { durable: content, pending: [] });
    }
    this.#current = new Map(this.#durable);
  }

  take(event: IoEvent): void {
    this.#at += 1;
    switch (event.kind) {
      case 'birth':
        this.#open.clear();
        break;
      case 'open':
        this.#takeOpen(event);
        break;
      case 'close':
        this.#open.delete(event.fd);
        break;
      case 'write':
      case 'resize':
      case 'allocate':
        this.#handle(event.fd).node?.pending.push({ at: this.#at, change: event });
        break;
      case 'rename':
        this.#name({ kind: 'rename', from: this.#below(event.from), to: this.#below(event.to) });
        break;
      case 'unlink':
        this.#name({ kind: 'unlink', path: this.#below(event.path) });
        break;
      case 'mkdir':
        this.#name({ kind: 'create', path: this.#below(event.path), node: undefined });
        break;
      case 'sync':
        this.#handle(event.fd).synced = this.#at;
        break;
      case 'synced':
        this.#takeSynced(event.fd);
        break;
      case 'mark':
    }
  }

  /** Whether anything could be lost now. */
  get unsynced(): boolean {
    const nodes = [...this.#current.values()];
    return this.#pending.length > 0 || nodes.some((node) => (node?.pending.length ?? 0) > 0);
  }

  /** What a reader sees now: every change is there. */
  current(): Image {
    return imageOf(this.#current, (node) => contentOf(node, (content) => content.applyAll(node)));
  }

  afterPowerCut(luck: Luck, entropy: Entropy): Image {
    const names: Names = new Map(this.#durable);
    for (const change of this.#lasting(luck.names, entropy)) rename(names, change);
    for (const path of names.keys()) if (!isReachable(names, path)) names.delete(path);
    const share = entropy.fraction();
    return imageOf(names, (node) => {
      return contentOf(node, (content) => apply(content, node, luck.contents, share, entropy));
    });
  }

  #below(path: string): string {
    return path.slice(this.#root.length + 1);
  }

  #handle(fd: number) {
    const handle = this.#open.get(fd);
    if (handle === undefined) throw new Error(`descriptor ${fd} was never opened`);
    return handle;
  }

  #takeOpen({ fd, path: whole, created }: Extract<IoEvent, { kind: 'open' }>): void {
    const path = this.#below(whole);
    if (created) {
      this.#name({ kind: 'create', path, node: { durable: new Content(), pending: [] } });
    }
    this.#open.set(fd, { path, node: this.#current.get(path), synced: 0 });
  }

  #name(change: NameChange): void {
    rename(this.#current, change);
    this.#pending.push({ at: this.#at, change });
  }

  #takeSynced(fd: number): void {
    const { path, node, synced } = this.#handle(fd);
    if (node !== undefined) {
      for (const { change } of node.pending.filter(({ at }) => at < synced)) {
        node.durable.apply(change);
      }
      node.pending = node.pending.filter(({ at }) => at >= synced);
      return;
    }
    const covered = ({ at, change }: Pending<NameChange>): boolean =>
      at < synced && directoryOf('path' in change ? change.path : change.from) === path;
    for (const { change } of this.#pending.filter(covered)) rename(this.#durable, change);
    this.#pending = this.#pending.filter((pending) => !covered(pending));
  }

  #lasting(luck: Luck['names'], entropy: Entropy): readonly NameChange[] {
    const changes = this.#pending.map(({ change }) => change);
    const first = Math.floor(entropy.fraction() * (changes.length + 1));
    const share = entropy.fraction();
    if (luck === 'some') return changes.filter(() => entropy.fraction() < share);
    return changes.slice(0, { none: 0, all: changes.length, first }[luck]);
  }
}

/** For later: the bytes of an image change when its volume takes the next event. */
export function copyOf(image: Image): Image {
  return new Map([...image].map(([path, bytes]) => [path, bytes?.slice()]));
}

function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function isReachable(names: Names, path: string): boolean {
  const directory = directoryOf(path);
  return directory === '' || (names.has(directory) && isReachable(names, directory));
}

/** Does what it can: a change whose ground is missing cannot have happened alone. */
function rename(names: Names, change: NameChange): void {
  switch (change.kind) {
    case 'create':
      if (!names.has(change.path)) names.set(change.path, change.node);
      break;
    case 'unlink':
      names.delete(change.path);
      break;
    case 'rename':
      if (!names.has(change.from)) return;
      names.set(change.to, names.get(change.from));
      names.delete(change.from);
  }
}

function imageOf(names: Names, content: (node: FileNode) => Uint8Array): Image {
  return new Map(
    [...names].map(([path, node]) => [path, node === undefined ? undefined : content(node)]),
  );
}

function contentOf(node: FileNode, change: (content: Content) => void): Uint8Array {
  if (node.pending.length === 0) return node.durable.bytes;
  const content = node.durable.copy();
  change(content);
  return content.bytes;
}

/** A file may have grown on the disk before its new bytes got there: they read as zeros. */
const GROWN_CHANCE = 0.2;

function apply(
  content: Content,
  node: FileNode,
  luck: Luck['contents'],
  share: number,
  entropy: Entropy,
): void {
  if (luck === 'none') return;
  for (const { change } of node.pending) {
    if (luck === 'all' || (luck === 'some' && entropy.fraction() < share)) content.apply(change);
    else if (luck === 'torn') tear(content, change, share, entropy);
    else if (change.kind === 'write' && entropy.fraction() < GROWN_CHANCE) {
      content.grow(change.offset + change.length);
    }
  }
}

function tear(content: Content, change: ContentChange, share: number, entropy: Entropy): void {
  if (change.kind !== 'write') {
    if (entropy.fraction() < share) content.apply(change);
    return;
  }
  const { offset, bytes } = change;
  let end: number;
  for (let start = 0; start < bytes.length; start = end) {
    end = Math.min(bytes.length, start + SECTOR_BYTES - ((offset + start) % SECTOR_BYTES));
    if (entropy.fraction() < share) content.write(offset + start, bytes.subarray(start, end));
  }
}

/** Bytes that grow. */
class Content {
  #store = new Uint8Array(0);
  #length = 0;

  get bytes(): Uint8Array {
    return this.#store.subarray(0, this.#length);
  }

  copy(): Content {
    const copy = new Content();
    copy.write(0, this.bytes);
    return copy;
  }

  apply(change: ContentChange): void {
    if (change.kind === 'write') this.write(change.offset, change.bytes);
    else if (change.kind === 'allocate') this.grow(change.offset + change.length);
    else this.#resize(change.length);
  }

  applyAll(node: FileNode): void {
    for (const { change } of node.pending) this.apply(change);
  }

  write(offset: number, bytes: Uint8Array): void {
    this.grow(offset + bytes.length);
    this.#store.set(bytes, offset);
  }

  grow(length: number): void {
    if (length > this.#length) this.#resize(length);
  }

  #resize(length: number): void {
    if (length > this.#store.length) {
      const store = new Uint8Array(length * 2);
      store.set(this.bytes);
      this.#store = store;
    }
    this.#store.fill(0, Math.min(length, this.#length), Math.max(length, this.#length));
    this.#length = length;
  }
}
