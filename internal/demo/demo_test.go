package demo

import (
	"testing"

	"github.com/lowbit-go/lowbit/safetensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOpen(t *testing.T) {
	f, err := Open()
	require.NoError(t, err)
	elements := 0
	for _, info := range f.Tensors() {
		assert.Equal(t, safetensors.F32, info.DType, info.Name)
		elements += info.Elements()
	}
	assert.Len(t, f.Tensors(), 6)
	assert.Equal(t, 887040, elements)
	assert.Contains(t, Notice, "all-MiniLM-L6-v2")
	assert.Contains(t, Notice, "Apache License, Version 2.0")
}
