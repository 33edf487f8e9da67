package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLend(t *testing.T) {
	var m memory
	x := lend[float32](&m, 5)
	assert.Len(t, x, 5)
	bytes := lend[uint8](&m, 24)
	x[0] = 1
	assert.Equal(t, bytesOf(x), bytes[:20], "lent again")
	assert.Empty(t, lend[int32](&m, 0))
}

// On a machine with the other order of bytes, elements are turned round.
func TestToggleEndian(t *testing.T) {
	defer func(was bool) { bigEndian = was }(bigEndian)
	for big, want := range map[bool][]int32{false: {0x01020304, -1}, true: {0x04030201, -1}} {
		bigEndian = big
		elements := []int32{0x01020304, -1}
		toggleEndian(elements)
		assert.Equal(t, want, elements)
	}
	bytes := []uint8{1, 2, 3}
	toggleEndian(bytes)
	assert.Equal(t, []uint8{1, 2, 3}, bytes)
}

func TestPool(t *testing.T) {
	var p pool[int]
	a, b := p.get(), p.get()
	assert.NotSame(t, a, b)
	p.put(a)
	assert.Same(t, a, p.get())
}
