package quant

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPreset(t *testing.T) {
	for _, name := range Presets() {
		spec, err := Preset(name)
		require.NoError(t, err, name)
		_, err = New[float32](spec, Weight)
		require.NoError(t, err, name)
	}
	spec, err := Preset("int4-g64")
	require.NoError(t, err)
	assert.Equal(t, Spec{DType: Int4, Granularity: PerBlock(-1, 64)}.resolved(), spec.resolved())
	_, err = Preset("int5")
	assert.ErrorIs(t, err, ErrSpec)
	assert.ErrorContains(t, err, "int8")
}
