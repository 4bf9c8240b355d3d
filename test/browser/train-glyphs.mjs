/** A short training, the same in Node and in a page. */

/** Losses of the epochs, and some of what they end with. */
export async function trainGlyphs(
  { createGlyphs, defaultConfig, train, zooEntry },
  engine,
  { method, images, batchSize, epochs },
) {
  const dataset = createGlyphs({ train: images, test: 1, seed: 3 })
  const config = defaultConfig(
    'lenet5',
    method,
    { spec: 'glyphs' },
    { batchSize, epochs, frozenEpochs: 0, validation: 0, learningRate: 0.01 },
  )
  const { history, network } = await train({
    config,
    model: zooEntry('lenet5').create(10, 1),
    dataset,
    engine,
  })
  return {
    losses: history.map(({ trainLoss }) => trainLoss),
    bias: [...network.model.parameters.get('fc2.bias').data],
    levels: [...(network.ternary.get('conv1.weight')?.assignment ?? [])],
  }
}
