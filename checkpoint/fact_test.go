package checkpoint

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/quant"
)

// Facts that are found out in parts, and merged in any order, give the bytes that a worker gives who finds them out by himself.
func TestFacts(t *testing.T) {
	const source, most = "testdata/ct/source", 1 << 10
	spec := func(text string) func() Job {
		s, err := quant.ParseSpec([]byte(text))
		require.NoError(t, err)
		return func() Job {
			return &Quantization{Name: text, Choose: func(t *Tensor) *Choice {
				if len(t.Shape()) != 2 {
					return nil
				}
				return &Choice{Spec: s, Pack: true}
			}}
		}
	}
	nvfp4, err := quant.Preset("nvfp4")
	require.NoError(t, err)
	text, err := nvfp4.MarshalJSON()
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 2))
	for name, job := range map[string]func() Job{
		"per tensor": spec(`{"dtype":"int8"}`),
		"per column": spec(`{"dtype":"uint8","qscheme":"asymmetric","granularity":{"type":"per_channel","axis":1}}`),
		"nvfp4":      spec(string(text)),
		"ct nvfp4":   func() Job { return ctJob(t, "nvfp4") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, plan(t, source, job(), most).WriteFolder(context.Background(), filepath.Join(dir, "want"), WriteOptions{}))
			p := plan(t, source, job(), most)
			shard := &p.Shards[0]
			known := map[string][]byte{}
			facts := p.Facts(shard)
			require.NotEmpty(t, facts)
			for _, f := range facts {
				var parts [][]byte
				for _, i := range append(r.Perm(f.Parts), 0) {
					part, err := p.Observe(new(Scratch), shard, f, i)
					require.NoError(t, err)
					parts = append(parts, part)
				}
				known[f.String()], err = p.Merge(shard, f, parts)
				require.NoError(t, err)
				_, err = p.Observe(new(Scratch), shard, f, f.Parts)
				require.Error(t, err)
				_, err = p.Merge(shard, f, [][]byte{{1, 2, 3}})
				require.Error(t, err)
			}
			_, err = p.Observe(new(Scratch), shard, Fact{Tensor: "none", Parts: 1}, 0)
			require.Error(t, err)
			asked := 0
			p.Known(func(f Fact) ([]byte, error) {
				asked++
				if known[f.String()] == nil {
					return nil, fmt.Errorf("%v was asked for", f)
				}
				return known[f.String()], nil
			})
			require.NoError(t, p.WriteFolder(context.Background(), filepath.Join(dir, "got"), WriteOptions{}))
			assert.Equal(t, len(facts), asked)
			want, err := os.ReadFile(filepath.Join(dir, "want", shard.Name))
			require.NoError(t, err)
			got, err := os.ReadFile(filepath.Join(dir, "got", shard.Name))
			require.NoError(t, err)
			assert.True(t, string(want) == string(got))
		})
	}
}
