package checkpoint

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// writeSmall writes a file of so many tensors of 64 bytes.
func writeSmall(t *testing.T, path string, tensors int) {
	t.Helper()
	var header strings.Builder
	for i := range tensors {
		fmt.Fprintf(&header, `%c"t%d.weight":{"dtype":"F32","shape":[4,4],"data_offsets":[%d,%d]}`, "{,"[min(i, 1)], i, 64*i, 64*i+64)
	}
	header.WriteByte('}')
	file := binary.LittleEndian.AppendUint64(nil, uint64(header.Len()))
	file = append(append(file, header.String()...), make([]byte, 64*tensors)...)
	require.NoError(t, os.WriteFile(path, file, 0o666))
}

// heap is what is held in memory.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What is held of a file of very many tensors is less than three times its header; four, if they are quantized. What a conversion holds is in
// proportion to the two headers, too: the one that is read and the one that is written. Names are short here, as is the header.
func TestManyTensors(t *testing.T) {
	const tensors = 10_000
	dir := t.TempDir()
	writeSmall(t, filepath.Join(dir, "in"), tensors)
	choice := &Choice{Spec: quant.Spec{}, Pack: true}
	for _, c := range []struct {
		in, out         string
		job             Job
		opened, written float64 // times the header, times both
	}{
		{"in", "codes", &Quantization{Choose: func(*Tensor) *Choice { return choice }}, 3, 3.3},
		{"in", "copy", &Quantization{Choose: func(*Tensor) *Choice { return nil }}, 3, 4},
		{"codes", "back", Dequantization{}, 4.2, 4.8},
	} {
		base := heap()
		held := func() float64 { return float64(heap() - base) }
		in := open(t, filepath.Join(dir, c.in))
		header := float64(headerLen(t, filepath.Join(dir, c.in)))
		opened := held() / header
		assert.Less(t, opened, c.opened, "%s opened", c.in)
		p, err := NewPlan(in, c.job, 1<<20)
		require.NoError(t, err)
		headers := header + float64(len(p.Shards[0].Head))
		assert.Less(t, held()/headers, c.written, "%s planned", c.out)
		most, n := 0.0, 0
		require.NoError(t, p.WriteFile(context.Background(), filepath.Join(dir, c.out), WriteOptions{Progress: func(string, int64) {
			if n++; n%(tensors/2) == 0 {
				most = max(most, held())
			}
		}}))
		assert.Less(t, most/headers, c.written, "%s written", c.out)
		t.Logf("%s: %.2f times the header opened, %.2f times both written", c.out, opened, most/headers)
		runtime.KeepAlive(p)
		require.NoError(t, in.Close())
	}
}

// headerLen is how long a file's header is.
func headerLen(t *testing.T, path string) uint64 {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	var n uint64
	require.NoError(t, binary.Read(f, binary.LittleEndian, &n))
	return n
}

// What pieces have in common is forgotten with the last of them: a plan has all tensors of a model. Of a tensor that has a scale of its own beside those of
// its groups that is all that they have in common, and of groups that a piece holds nothing is.
func TestPlanKeepsNoParameters(t *testing.T) {
	all := tensors{}
	for i := range 3 {
		all[fmt.Sprintf("t%d.weight", i)] = of(safetensors.F32, []int{64, 1 << 10}, make([]float32, 1<<16)...)
	}
	dir := folder(t, "", all)
	held := func(p *Plan) (globals, params int) {
		for _, c := range p.Shards[0].converters {
			var parts *parted[float32]
			switch c := c.(type) {
			case *quantizer[float32]:
				parts = &c.parted
			case *fakeQuantizer[float32]:
				parts = &c.parted
			}
			parts.globals.mu.Lock()
			globals += len(parts.globals.values)
			parts.globals.mu.Unlock()
			parts.params.mu.Lock()
			params += len(parts.params.values)
			parts.params.mu.Unlock()
		}
		return globals, params
	}
	for _, c := range []struct {
		name            string
		spec            string
		globals, params bool
	}{
		{"nvfp4", `{"dtype":"float4_e2m1fn_x2","granularity":{"type":"per_block","axis":-1,"block_size":16},"scale_dtype":"float8_e4m3fn"}`, true, false},
		{"searched nvfp4", `{"dtype":"float4_e2m1fn_x2","granularity":{"type":"per_block","axis":-1,"block_size":16},"scale_dtype":"float8_e4m3fn","range_calculator_cls":"mse"}`, true, false},
		{"blocks", `{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":32}}`, false, false},
		{"partial blocks", `{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":48,"partial":true}}`, false, false},
		{"partial blocks of rows", `{"dtype":"int4","granularity":{"type":"per_block","axis":0,"block_size":3,"partial":true}}`, false, false},
		{"per tensor", `{"dtype":"int8"}`, false, true},
		{"searched per tensor", `{"dtype":"int8","range_calculator_cls":"mse"}`, false, true},
		{"searched blocks", `{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":32},"range_calculator_cls":"mse"}`, false, false},
		{"histogram", `{"dtype":"int8","qparam_calculator_cls":"histogram"}`, false, true},
	} {
		spec, err := quant.ParseSpec([]byte(c.spec))
		require.NoError(t, err)
		for name, job := range map[string]Job{
			"quantize":      &Quantization{Choose: func(*Tensor) *Choice { return &Choice{Spec: spec} }},
			"fake-quantize": &FakeQuantization{Spec: spec, Target: quant.Weight, Mask: quant.BitMask},
		} {
			t.Run(c.name+" "+name, func(t *testing.T) {
				p := plan(t, dir, job, 1<<12)
				var mu sync.Mutex
				mostGlobals, mostParams := 0, 0
				require.NoError(t, p.WriteFolder(context.Background(), filepath.Join(t.TempDir(), "out"), WriteOptions{Workers: 2, Progress: func(string, int64) {
					mu.Lock()
					defer mu.Unlock()
					globals, params := held(p)
					mostGlobals, mostParams = max(mostGlobals, globals), max(mostParams, params)
				}}))
				assert.Equal(t, c.globals, mostGlobals > 0, "scales of tensors are held")
				assert.Equal(t, c.params, mostParams > 0, "parameters of groups are held")
				globals, params := held(p)
				assert.Zero(t, globals+params)
			})
		}
	}
}
