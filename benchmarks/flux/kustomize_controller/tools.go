//go:build tools

// Package tools pins the controller of Flux that the benchmark runs.
package tools

import _ "github.com/fluxcd/kustomize-controller"
