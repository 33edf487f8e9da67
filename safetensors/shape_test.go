package safetensors

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestShape(t *testing.T) {
	for _, c := range []struct {
		dims     []int
		text     string
		elements int
	}{
		{[]int{}, "[]", 1},
		{[]int{7}, "[7]", 7},
		{[]int{2, 0}, "[2,0]", 0},
		{[]int{2, 3, 4}, "[2,3,4]", 24},
	} {
		s := ShapeOf(c.dims...)
		assert.Equal(t, c.text, s.String())
		assert.Equal(t, len(c.dims), s.Rank())
		assert.Equal(t, c.dims, s.Dims())
		assert.Equal(t, c.elements, s.Elements())
		assert.Equal(t, c.elements, Info{Shape: s}.Elements())
		for axis, d := range s.All() {
			assert.Equal(t, c.dims[axis], d)
		}
		assert.Len(t, maps.Collect(s.All()), len(c.dims))
	}
	assert.Equal(t, Shape{}, ShapeOf())
	assert.NotEqual(t, ShapeOf(2, 1), ShapeOf(2))
	for range ShapeOf(1, 2).All() {
		break
	}
}
