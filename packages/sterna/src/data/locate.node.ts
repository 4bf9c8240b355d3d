/** Finds the files of the known data sets in a folder, in STERNA_DATA and in ./data. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { SternaError } from '../core/index.ts'
import { CIFAR10_TEST_FILE, CIFAR10_TRAIN_FILES } from './cifar10.ts'
import { MNIST_ROLES, type MnistRole } from './mnist.ts'

export type FileDatasetName = 'mnist' | 'cifar10'

/** A folder that holds a data set, with the path of each of its files. */
export interface LocatedDataset {
  readonly dir: string
  readonly files: Readonly<Record<string, string>>
}

export interface LocateOptions {
  /** Where to look, instead of the folder in STERNA_DATA and ./data. */
  readonly roots?: readonly string[]
}

interface Layout {
  /** Files by role, each with its possible names. */
  readonly files: Readonly<Record<string, readonly string[]>>
  /** Subfolders in which well-known tools put them. */
  readonly subfolders: readonly string[]
}

const layouts: Readonly<Record<FileDatasetName, Layout>> = {
  mnist: {
    files: Object.fromEntries(MNIST_ROLES.map(role => [role, mnistFileNames(role)])),
    subfolders: ['', 'MNIST/raw', 'raw'],
  },
  cifar10: {
    files: Object.fromEntries([...CIFAR10_TRAIN_FILES, CIFAR10_TEST_FILE].map(name => [name, [name]])),
    subfolders: ['', 'cifar-10-batches-bin'],
  },
}

/** The spellings in circulation; plain files come first for they read faster. */
function mnistFileNames(role: MnistRole): string[] {
  const dimensions = role.endsWith('images') ? 'idx3' : 'idx1'
  return ['', '.gz'].flatMap(end => [
    `${role}-${dimensions}-ubyte${end}`,
    `${role}.${dimensions}-ubyte${end}`,
  ])
}

/** The folders searched when none is named. */
function defaultDataRoots(): string[] {
  const fromEnvironment = process.env.STERNA_DATA
  return [...(fromEnvironment ? [fromEnvironment] : []), 'data']
}

/** The data set in a folder (or a usual subfolder of it), or an error that says which files are missing. */
export async function locateIn(name: FileDatasetName, dir: string): Promise<LocatedDataset> {
  const found = await probe(name, dir)
  if (found.missing.length === 0) return found.located
  const { files, subfolders } = layouts[name]
  const total = Object.keys(files).length
  throw new SternaError(
    'data/not-found',
    found.missing.length === total
      ? `${dir}: expected the ${total} files of ${name}, found none of them`
      : `${found.located.dir}: expected the ${total} files of ${name}, missing ${found.missing.join(', ')}`,
    {
      hint: `files: ${Object.values(files)
        .map(names => names.at(-2) ?? names[0])
        .join(
          ', ',
        )}; subfolders searched: ${subfolders.filter(Boolean).join(', ')}; or run: sterna data fetch ${name} --dir ${dir}`,
      detail: { dir, missing: found.missing },
    },
  )
}

/** The first folder among the roots, and `NAME` below each, that holds the data set; undefined if none. */
export async function locate(
  name: FileDatasetName,
  options: LocateOptions = {},
): Promise<LocatedDataset | undefined> {
  for (const root of options.roots ?? defaultDataRoots()) {
    for (const dir of [path.join(root, name), root]) {
      const { located, missing } = await probe(name, dir)
      if (missing.length === 0) return located
    }
  }
  return undefined
}

/** The subfolder with the most of the data set's files. */
async function probe(
  name: FileDatasetName,
  dir: string,
): Promise<{ located: LocatedDataset; missing: string[] }> {
  const layout = layouts[name]
  let best = { located: { dir, files: {} }, missing: Object.keys(layout.files) }
  for (const subfolder of layout.subfolders) {
    const folder = path.join(dir, subfolder)
    const present = new Set(await readdir(folder).catch(() => []))
    const files: Record<string, string> = {}
    const missing: string[] = []
    for (const [role, names] of Object.entries(layout.files)) {
      const file = names.find(candidate => present.has(candidate))
      if (file === undefined) missing.push(names.at(-2) ?? names[0]!)
      else files[role] = path.join(folder, file)
    }
    if (missing.length < best.missing.length) best = { located: { dir: folder, files }, missing }
  }
  return best
}
