package quant_test

import (
	"math"
	"testing"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The number of groups along each axis, by the rules for weights and for activations.
func TestGroups(t *testing.T) {
	conv := []int{6, 8, 3, 4}
	for _, c := range []struct {
		g                  quant.Granularity
		weight, activation []int
	}{
		{quant.PerTensor(), []int{1, 1, 1, 1}, []int{1, 1, 1, 1}},
		{quant.PerChannel(1), []int{1, 8, 1, 1}, []int{1, 8, 1, 1}},
		{quant.PerChannel(-4), []int{6, 1, 1, 1}, []int{6, 1, 1, 1}},
		{quant.PerBlock(0, 2), []int{3, 8, 1, 1}, []int{3, 8, 3, 4}},
		{quant.PerBlock(1, 4), []int{6, 2, 1, 1}, []int{6, 2, 3, 4}},
		{quant.PerBlock(-1, 2), []int{6, 8, 1, 2}, []int{6, 8, 3, 2}},
		{quant.PerBlocks(2, -1, 1, 4), []int{3, 1, 3, 1}, []int{3, 1, 3, 1}},
	} {
		got, err := c.g.Groups(conv, quant.Weight)
		require.NoError(t, err)
		assert.Equal(t, c.weight, got, c.g)
		got, err = c.g.Groups(conv, quant.LUT)
		require.NoError(t, err)
		assert.Equal(t, c.weight, got, c.g)
		got, err = c.g.Groups(conv, quant.Activation)
		require.NoError(t, err)
		assert.Equal(t, c.activation, got, c.g)
	}
	_, err := quant.PerBlock(1, 3).Groups(conv, quant.Weight)
	require.ErrorIs(t, err, quant.ErrDisabled)
	require.EqualError(t, err, "quant: quantizer is disabled: granularity.block_size is 3, want a divisor of axis 1 of the tensor's shape [6,8,3,4]")
	_, err = quant.PerBlocks(1, 8).Groups(conv, quant.Weight)
	require.ErrorIs(t, err, quant.ErrShape)
	_, err = quant.PerChannel(4).Groups(conv, quant.Weight)
	require.ErrorIs(t, err, quant.ErrShape)
	_, err = quant.PerTensor().Groups([]int{-1}, quant.Weight)
	require.ErrorIs(t, err, quant.ErrShape)
}

// A block may be larger than any axis: then the axis is whole.
func TestHugeBlocks(t *testing.T) {
	for _, g := range []quant.Granularity{
		quant.PerBlock(1, math.MaxInt).Partial(), quant.PerBlocks(1, math.MaxInt).Partial(), quant.PerBlocks(1, math.MaxInt-2).Partial(), quant.PerBlock(-1, 4).Partial(),
	} {
		blocks, err := g.Blocks([]int{2, 3}, quant.Weight)
		require.NoError(t, err)
		assert.Equal(t, []int{1, 3}, blocks)
		q, err := quant.New[float32](quant.Spec{Granularity: g}, quant.Weight)
		require.NoError(t, err)
		var codes quant.Codes
		require.NoError(t, q.Quantize(&codes, quant.Tensor[float32]{Data: []float32{1, 2, -127.5, 255, 0, 1}, Shape: []int{2, 3}}))
		assert.Equal(t, []int{2, 1}, codes.Params.Shape)
		assert.Equal(t, []float32{1, 2}, codes.Params.Scale)
		p, err := quant.NewPieces[float32](quant.Spec{Granularity: g}, quant.Weight, []int{2, 3}, false)
		require.NoError(t, err)
		elements := 0
		for part := range p.Parts(64) {
			elements += part.Len
		}
		assert.Equal(t, 6, elements)
	}
}
