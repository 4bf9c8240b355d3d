/** A published experiment's settings. */
export interface MethodPreset {
  readonly name: string
  /** Whose settings, in one line. */
  readonly description: string
  /** Fields of a training configuration; those left out keep their defaults. */
  readonly config: Readonly<Record<string, unknown>>
}

const sgd = { kind: 'sgd', momentum: 0.9, nesterov: false } as const

/** Table 1 of the TWN paper, MNIST, which holds for its binary control as well. */
export const twnPaperMnist = {
  model: 'lenet5',
  layers: 'all',
  epochs: 30,
  batchSize: 50,
  optimiser: sgd,
  learningRate: { latent: 0.01, state: 0.01, rest: 0.01 },
  weightDecay: { latent: 1e-4, state: 1e-4, rest: 1e-4 },
  schedule: { kind: 'step', epochs: [15, 25], factor: 0.1, warmUpEpochs: 0 },
} as const
