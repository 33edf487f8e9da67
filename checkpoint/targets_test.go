package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// A module is that of the group that names it itself, else of the first with a pattern for it, else of the first that names a class.
func TestTargets(t *testing.T) {
	var all targets
	groups := make([]*ctGroup, 3)
	for i, names := range [][]string{{"Linear", "a.b"}, {"re:a\\.", "re:c", "a.b", "Embedding"}, {"a.c", "re:c"}} {
		groups[i] = &ctGroup{}
		_, err := all.add(groups[i], names)
		require.NoError(t, err)
	}
	for module, want := range map[string]int{"a.b": 0, "a.c": 2, "a.d": 1, "cc": 1, "x.a.d": 0} {
		assert.Same(t, groups[want], all.group(module), module)
	}
	assert.Nil(t, all.named("x.a.d"), "a class is no name")
	assert.Nil(t, new(targets).group("a"))
	failed, err := all.add(groups[0], []string{"a", "re:("})
	assert.Equal(t, "re:(", failed)
	assert.Error(t, err)
}

// A tensor of an unknown scheme takes what belongs to its module and to no other, and each module finds its own among many.
func TestUnknownCompanions(t *testing.T) {
	all := tensors{}
	for _, m := range []string{"m", "m.n", "mm"} {
		for _, name := range []string{".qweight", ".qzeros", ".scales", ".bias"} {
			all[m+name] = of[int32](safetensors.I32, []int{1}, 0)
		}
	}
	c := open(t, folder(t, "", all))
	for _, m := range []string{"m", "m.n", "mm"} {
		x, ok := c.Lookup(m + ".weight")
		require.True(t, ok)
		var names []string
		for _, p := range x.Parts() {
			names = append(names, p.Name)
		}
		assert.ElementsMatch(t, []string{m + ".qweight", m + ".qzeros", m + ".scales"}, names)
	}
	assert.Len(t, c.Tensors(), 6)
}
