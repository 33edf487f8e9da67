// Package demo holds real weights to try quantization on: six float32 tensors, matrices and vectors, of the first encoder layer of
// sentence-transformers/all-MiniLM-L6-v2. They are here unchanged under the Apache License 2.0; NOTICE has the attribution.
package demo

import (
	_ "embed"
	"strings"

	"github.com/lowbit-go/lowbit/safetensors"
)

// Name is the file's.
const Name = "minilm-layer0.safetensors"

//go:embed minilm-layer0.safetensors
var weights string

// Notice is the attribution that goes wherever the weights go.
//
//go:embed NOTICE
var Notice string

// Open opens the weights. The file need not be closed.
func Open() (*safetensors.File, error) {
	return safetensors.NewFile(strings.NewReader(weights), int64(len(weights)), Name)
}
