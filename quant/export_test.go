package quant

import "testing"

// ShareEvery lets workers share tensors of that many elements each, in pieces of as many, for the length of a test.
func ShareEvery(t *testing.T, elements int) {
	wasShare, wasPiece := minShare, piece
	minShare, piece = elements, elements
	t.Cleanup(func() { minShare, piece = wasShare, wasPiece })
}
