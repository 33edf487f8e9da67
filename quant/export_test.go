package quant

import "testing"

// ShareEvery lets workers share tensors of that many elements each, for the length of a test.
func ShareEvery(t *testing.T, elements int) {
	was := minShare
	minShare = elements
	t.Cleanup(func() { minShare = was })
}
