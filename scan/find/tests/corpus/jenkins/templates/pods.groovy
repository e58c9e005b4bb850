// A pod's manifest as an argument among others, and indented as it stands.
podTemplate(agentContainer: 'gradle', agentInjection: true, yaml: '''
              apiVersion: v1
              kind: Pod
              spec:
                containers:
                - name: gradle
                  image: gradle:8.10-jdk21
                - name: dind
                  image: docker:27-dind
''') {
  node(POD_LABEL) {
    sh 'gradle check'
  }
}
podTemplate(yaml: '''
spec:
  containers:
  - name: load
    image: grafana/k6:0.54.0
''') {
  node(POD_LABEL) { sh 'k6 version' }
}
