/** `npm run quickstart [-- OPTIONS]`: installs and builds what is missing, then `sterna quickstart OPTIONS`. */
import path from 'node:path'
import { ensure, hand, root } from './ensure.mjs'

ensure()
hand(path.join(root, 'packages/sterna/bin/sterna.js'), ['quickstart', ...process.argv.slice(2)])
