package quant

import (
	"testing"

	"github.com/lowbit-go/lowbit/kernels"
)

// ShareEvery lets workers share tensors of that many elements each, in pieces of as many, for the length of a test.
func ShareEvery(t *testing.T, elements int) {
	wasShare, wasPiece := minShare, piece
	minShare, piece = elements, elements
	t.Cleanup(func() { minShare, piece = wasShare, wasPiece })
}

// NoVectors makes every tensor take the way of a pass until the function that it returns is called.
func NoVectors() (restore func()) {
	was := vectorLen
	vectorLen = 0
	return func() { vectorLen = was }
}

// Reading locks a quantizer as passes do that change nothing of it, and returns what unlocks it.
func Reading[T kernels.Float](q *FakeQuantizer[T]) (unlock func()) {
	q.mu.RLock()
	return q.mu.RUnlock
}
