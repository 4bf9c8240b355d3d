/** What data sets Sterna knows, and which of them are on this machine. */
import type { ImageShape } from './dataset.ts'
import { type FileDatasetName, type LocateOptions, locate } from './locate.node.ts'
import { DATASET_NAMES, type DatasetName } from './open.node.ts'

export interface CatalogueEntry {
  readonly name: DatasetName
  readonly imageShape: ImageShape
  readonly classes: number
  readonly trainImages: number
  readonly testImages: number
  /** Of the files on disk as published; 0 for a set that is drawn in memory. */
  readonly sizeBytes: number
  readonly found: boolean
  /** The folder; undefined for a set that is not found, or needs none. */
  readonly dir: string | undefined
}

const facts = {
  mnist: {
    imageShape: [1, 28, 28],
    classes: 10,
    trainImages: 60_000,
    testImages: 10_000,
    sizeBytes: 11_594_722,
  },
  cifar10: {
    imageShape: [3, 32, 32],
    classes: 10,
    trainImages: 50_000,
    testImages: 10_000,
    sizeBytes: 184_380_000,
  },
  glyphs: { imageShape: [1, 28, 28], classes: 10, trainImages: 12_000, testImages: 2_000, sizeBytes: 0 },
} as const satisfies Record<DatasetName, Omit<CatalogueEntry, 'name' | 'found' | 'dir'>>

/** One entry per known data set; those kept in files are looked for in STERNA_DATA and ./data. */
export async function dataCatalogue(options: LocateOptions = {}): Promise<CatalogueEntry[]> {
  return Promise.all(
    DATASET_NAMES.map(async name => {
      const dir = name === 'glyphs' ? undefined : (await locate(name satisfies FileDatasetName, options))?.dir
      return { name, ...facts[name], found: name === 'glyphs' || dir !== undefined, dir }
    }),
  )
}
