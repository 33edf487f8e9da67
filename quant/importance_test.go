package quant_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/quant"
)

// TestImportance adds batches, some of them in another one that is merged and by way of its state.
func TestImportance(t *testing.T) {
	x := []float32{1, 2, 3, -1, 0, 0.5, 4, -2, 1}
	var all, first, second quant.Importance[bf16.BFloat16]
	batch := func(rows ...float32) quant.Tensor[bf16.BFloat16] {
		b := quant.Tensor[bf16.BFloat16]{Shape: []int{len(rows) / 3, 3}}
		for _, v := range rows {
			b.Data = append(b.Data, bf16.FromFloat32(v))
		}
		return b
	}
	require.Nil(t, all.Weights())
	require.NoError(t, all.Add(batch(x...)))
	require.Equal(t, []float32{6, float32(8) / 3, float32(10.25 / 3)}, all.Weights())
	require.NoError(t, first.Add(batch(x[:3]...)))
	require.NoError(t, second.Add(batch(x[3:]...)))
	var loaded quant.Importance[bf16.BFloat16]
	require.NoError(t, loaded.LoadState(second.State()))
	require.NoError(t, first.Merge(&loaded))
	require.Equal(t, all, first)

	require.ErrorIs(t, all.Add(quant.Tensor[bf16.BFloat16]{Data: make([]bf16.BFloat16, 4), Shape: []int{4}}), quant.ErrShape)
	var other quant.Importance[bf16.BFloat16]
	require.NoError(t, other.Add(quant.Tensor[bf16.BFloat16]{Data: make([]bf16.BFloat16, 2), Shape: []int{2}}))
	require.ErrorIs(t, all.Merge(&other), quant.ErrShape)
	for name := range all.State() {
		damaged := all.State()
		delete(damaged, name)
		require.ErrorIs(t, loaded.LoadState(damaged), quant.ErrState)
		damaged = all.State()
		tensor := damaged[name]
		tensor.Data = tensor.Data[1:]
		damaged[name] = tensor
		require.ErrorIs(t, loaded.LoadState(damaged), quant.ErrState)
	}
	require.Equal(t, second, loaded)
}
