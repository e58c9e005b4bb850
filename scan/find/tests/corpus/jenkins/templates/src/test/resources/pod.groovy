podTemplate(containers: [containerTemplate(name: 'node', image: 'node:22-alpine', command: 'sleep', args: 'infinity')]) {
  node(POD_LABEL) { sh 'node --version' }
}
