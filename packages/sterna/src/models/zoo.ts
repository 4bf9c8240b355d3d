/** The networks that can be asked for by name. */
import { closest, SternaError } from '../core/index.ts'
import type { Model } from '../graph/index.ts'
import { lenet5, lenet5Classic } from './lenet.ts'
import { resnetCifar } from './resnet-cifar.ts'
import { resnet18 } from './resnet-imagenet.ts'
import { vgg7 } from './vgg.ts'

export interface ZooEntry {
  readonly name: string
  readonly description: string
  /** [C, H, W] of the images it takes. */
  readonly imageShape: readonly [number, number, number]
  /** Name of the normalisation preset its published weights expect. */
  readonly normalization: string
  /** Builds it with fresh weights, batch size 1. */
  readonly create: (classes: number, seed: number) => Model
}

export const zoo: readonly ZooEntry[] = [
  {
    name: 'lenet5',
    description: 'LeNet-5 of the TWN paper: 32-C5, 64-C5, 512-FC with batch norm',
    imageShape: [1, 28, 28],
    normalization: 'mnist',
    create: lenet5,
  },
  {
    name: 'lenet5-classic',
    description: 'LeNet-5 6-16-120-84-10 without batch norm',
    imageShape: [1, 28, 28],
    normalization: 'mnist',
    create: lenet5Classic,
  },
  {
    name: 'vgg7',
    description: 'VGG-7 of the TWN paper: 2×128-C3, 2×256-C3, 2×512-C3, 1024-FC with batch norm',
    imageShape: [3, 32, 32],
    normalization: 'cifar10',
    create: vgg7,
  },
  ...([3, 5, 7, 9] as const).map(
    (blocks): ZooEntry => ({
      name: `resnet${6 * blocks + 2}`,
      description: `ResNet-${6 * blocks + 2} for CIFAR with parameter-free shortcuts (option A)`,
      imageShape: [3, 32, 32],
      normalization: 'imagenet',
      create: (classes, seed) => resnetCifar(blocks, classes, seed),
    }),
  ),
  {
    name: 'resnet18',
    description: 'ResNet-18 for ImageNet with projection shortcuts (option B)',
    imageShape: [3, 224, 224],
    normalization: 'imagenet',
    create: (classes, seed) => resnet18(64, classes, seed),
  },
  {
    name: 'resnet18b',
    description: 'ResNet-18 of the TWN paper with 1.5 times the channels',
    imageShape: [3, 224, 224],
    normalization: 'imagenet',
    create: (classes, seed) => resnet18(96, classes, seed),
  },
]

/** The zoo's entry of that name, or an error with the nearest names. */
export function zooEntry(name: string): ZooEntry {
  const entry = zoo.find(candidate => candidate.name === name)
  if (entry !== undefined) return entry
  const names = zoo.map(candidate => candidate.name)
  throw new SternaError('model/unknown', `no network is called "${name}"`, {
    hint: `did you mean ${closest(name, names).join(' or ')}? known: ${names.join(', ')}`,
  })
}
