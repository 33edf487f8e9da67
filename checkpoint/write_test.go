package checkpoint

import (
	"context"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// plan plans a job of a checkpoint.
func plan(t testing.TB, in string, job Job, most int64) *Plan {
	t.Helper()
	p, err := NewPlan(open(t, in), job, most)
	require.NoError(t, err)
	return p
}

// comparable drops what may differ in a config.json that the library has written.
func comparableConfig(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for key, v := range m {
		if inner, ok := v.(map[string]any); ok && len(inner) == 0 || v == nil || key == "observer" || key == "version" {
			continue
		}
		out[key] = comparableConfig(v)
	}
	return out
}

func readConfigJSON(t testing.TB, dir string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	require.NoError(t, err)
	var v map[string]any
	require.NoError(t, json.Unmarshal(text, &v))
	return v
}

func ctJob(t testing.TB, preset string) *CompressedTensors {
	t.Helper()
	job, err := NewCompressedTensors(preset, nil, "")
	require.NoError(t, err)
	return job
}

func TestCompressedTensorsFolder(t *testing.T) {
	for preset, scheme := range goldenSchemes {
		out, golden := filepath.Join(t.TempDir(), "out"), filepath.Join("testdata/ct", scheme)
		require.NoError(t, plan(t, "testdata/ct/source", ctJob(t, preset), 1<<14).WriteFolder(context.Background(), out, WriteOptions{Workers: 2}))

		want, got := comparableConfig(readConfigJSON(t, golden)), comparableConfig(readConfigJSON(t, out))
		if preset == "nvfp4" { // weights alone: nothing has been seen of activations
			groups := want.(map[string]any)["quantization_config"].(map[string]any)["config_groups"].(map[string]any)
			delete(groups["group_0"].(map[string]any), "input_activations")
		}
		assert.Equal(t, want, got, preset)

		f, err := safetensors.Open(filepath.Join(out, "model.safetensors"))
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"format": "pt"}, f.Metadata())
		require.NoError(t, f.Close())

		// And back.
		back := filepath.Join(t.TempDir(), "back")
		require.NoError(t, plan(t, out, Dequantization{}, 1<<13).WriteFolder(context.Background(), back, WriteOptions{Workers: 3}))
		assert.Equal(t, readConfigJSON(t, "testdata/ct/source"), readConfigJSON(t, back))
		for name, x := range loadFile(t, filepath.Join(back, "model.safetensors")) {
			if want, ok := digests(t)[scheme][name]; ok {
				assert.Equal(t, want["bf16"], digest(x.data), "%s %s", preset, name)
			}
		}
		assert.Len(t, loadFile(t, filepath.Join(back, "model.safetensors")), len(loadFile(t, "testdata/ct/source/model.safetensors")))
	}
}

// sharded splits the source into three shards with an index and other files.
func sharded(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	all := loadFile(t, "testdata/ct/source/model.safetensors")
	shards := []tensors{{}, {}, {}}
	weights := map[string]string{}
	names := []string{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"}
	for name, x := range all {
		i := int(digest([]byte(name))[0]) % 3
		shards[i][name] = x
		weights[name] = names[i]
	}
	for i, s := range shards {
		require.NotEmpty(t, s)
		writeFile(t, filepath.Join(dir, names[i]), nil, s)
	}
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 1, "kept": "x"}, "weight_map": weights})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), text, 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte("{}"), 0o666))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "1_Pooling"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "1_Pooling", "config.json"), []byte("[]"), 0o666))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".git"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".git", "HEAD"), nil, 0o666))
	config, err := os.ReadFile("testdata/ct/source/config.json")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666))
	return dir
}

// contents reads all files of a folder.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(text)
		return err
	}))
	return all
}

func TestFolderOfShards(t *testing.T) {
	in := sharded(t)
	out := filepath.Join(t.TempDir(), "out")
	p := plan(t, in, ctJob(t, "w4a16"), 1<<14)
	require.NoError(t, p.WriteFolder(context.Background(), out, WriteOptions{Workers: 2}))
	c := open(t, out)
	require.NoError(t, c.Err())
	assert.Equal(t, Folder, c.Kind())
	assert.Len(t, c.Shards(), 3)
	want := loadFile(t, "testdata/ct/W4A16/model.safetensors")
	got := tensors{}
	for _, f := range c.Shards() {
		for name, x := range loadFile(t, f.Name()) {
			got[name] = x
		}
	}
	assert.Equal(t, want, got)

	files := contents(t, out)
	assert.Equal(t, "{}", files["tokenizer.json"])
	assert.Equal(t, "[]", files["1_Pooling/config.json"])
	assert.NotContains(t, files, ".git/HEAD")
	var x struct {
		Metadata map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(files["model.safetensors.index.json"]), &x))
	total := 0
	for _, t := range want {
		total += len(t.data)
	}
	assert.Equal(t, map[string]any{"total_size": float64(total), "kept": "x"}, x.Metadata)
	assert.Equal(t, int64(total), p.After)
	entries, err := os.ReadDir(filepath.Dir(out))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing is left beside it")

	assert.EqualError(t, p.WriteFolder(context.Background(), out, WriteOptions{}), out+": exists and is not empty")

	dir := filepath.Dir(out)
	for link, to := range map[string]string{"full": "out", "empty": "made", "dangling": "new", "loop": "loop"} {
		require.NoError(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "made"), 0o777))
	assert.EqualError(t, p.WriteFolder(context.Background(), filepath.Join(dir, "full"), WriteOptions{}), out+": exists and is not empty")
	assert.ErrorContains(t, p.WriteFolder(context.Background(), filepath.Join(dir, "loop"), WriteOptions{}), "too many")
	for link, to := range map[string]string{"empty": "made", "dangling": "new"} {
		require.NoError(t, p.WriteFolder(context.Background(), filepath.Join(dir, link), WriteOptions{}))
		assert.Equal(t, files, contents(t, filepath.Join(dir, to)), "where the link leads")
		stat, err := os.Lstat(filepath.Join(dir, link))
		require.NoError(t, err)
		assert.NotZero(t, stat.Mode()&fs.ModeSymlink)
	}
	t.Chdir(t.TempDir())
	require.NoError(t, p.WriteFolder(context.Background(), ".", WriteOptions{}))
	assert.EqualError(t, p.WriteFile(context.Background(), out, WriteOptions{}), out+": is to be one file, but there are 3 shards: want a folder")
}

func TestFolderIsTakenUp(t *testing.T) {
	in := sharded(t)
	whole := filepath.Join(t.TempDir(), "whole")
	require.NoError(t, plan(t, in, Dequantization{}, 1<<12).WriteFolder(context.Background(), whole, WriteOptions{}))
	want := contents(t, whole)

	parent := t.TempDir()
	out := filepath.Join(parent, "out")
	runs := 0
	taken := map[string]fs.FileInfo{}
	for most := int64(1); ; most += 7 { // each run ends after more pieces than the one before
		runs++
		ctx, cancel := context.WithCancel(context.Background())
		var pieces, done, begun atomic.Int64
		p := plan(t, in, Dequantization{}, 1<<12)
		err := p.WriteFolder(ctx, out, WriteOptions{Workers: 1, Begin: func(bytes int64) { begun.Store(bytes) }, Progress: func(_ string, bytes int64) {
			done.Add(bytes)
			if pieces.Add(1) == most {
				cancel()
			}
		}})
		cancel()
		there := int64(0)
		for _, stat := range taken {
			there += stat.Size()
		}
		for _, s := range p.Shards {
			if taken[s.Name] != nil {
				there -= int64(len(s.Head))
			}
		}
		require.Equal(t, p.After-there, begun.Load(), "what is to be done does not count what is there")
		if err == nil {
			require.Equal(t, begun.Load(), done.Load())
			break
		}
		require.ErrorIs(t, err, context.Canceled)
		require.NoDirExists(t, out)
		entries, err := os.ReadDir(parent)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		// What is whole is not done again.
		stage := filepath.Join(parent, entries[0].Name())
		for _, name := range []string{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"} {
			stat, err := os.Stat(filepath.Join(stage, name))
			if earlier := taken[name]; earlier != nil {
				require.NoError(t, err)
				require.True(t, os.SameFile(earlier, stat))
			}
			if err == nil {
				taken[name] = stat
			}
		}
	}
	assert.Greater(t, runs, 3)
	assert.NotEmpty(t, taken)
	assert.Equal(t, want, contents(t, out))
}

// What killed runs of other plans have left is removed when the folder is whole, and nothing else is.
func TestOtherPlansAreRemoved(t *testing.T) {
	in := sharded(t)
	parent := t.TempDir()
	for _, name := range []string{".out.lowbit-0123456789abcdef", ".out.lowbit-0123456789abcdeg", ".out.lowbit-012345", ".out2.lowbit-0123456789abcdef"} {
		require.NoError(t, os.MkdirAll(filepath.Join(parent, name, "sub"), 0o777))
	}
	require.NoError(t, os.WriteFile(filepath.Join(parent, ".out.lowbit-fedcba9876543210"), nil, 0o666))
	require.NoError(t, plan(t, in, Dequantization{}, 1<<12).WriteFolder(context.Background(), filepath.Join(parent, "out"), WriteOptions{}))
	entries, err := os.ReadDir(parent)
	require.NoError(t, err)
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	assert.Equal(t, []string{".out.lowbit-012345", ".out.lowbit-0123456789abcdeg", ".out.lowbit-fedcba9876543210", ".out2.lowbit-0123456789abcdef", "out"}, left)
}

// Of several runs to a folder at once one writes it; the others say so, and take nothing away from it.
func TestRunsAtOnce(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("about locks of Unix")
	}
	in := sharded(t)
	parent := t.TempDir()
	out := filepath.Join(parent, "out")
	var second, third error
	var once sync.Once
	p := plan(t, in, ctJob(t, "w4a16"), 1<<12)
	require.NoError(t, p.WriteFolder(context.Background(), out, WriteOptions{Workers: 2, Progress: func(string, int64) {
		once.Do(func() {
			second = p.WriteFolder(context.Background(), out, WriteOptions{})
			third = p.WriteFolder(context.Background(), out, WriteOptions{Restart: true})
			removeStages(out) // as a run of another plan does at its end
		})
	}}))
	assert.EqualError(t, second, out+": another run writes it")
	assert.EqualError(t, third, out+": another run writes it")
	entries, err := os.ReadDir(parent)
	require.NoError(t, err)
	assert.Len(t, entries, 1)
	alone := filepath.Join(parent, "alone")
	require.NoError(t, p.WriteFolder(context.Background(), alone, WriteOptions{}))
	assert.Equal(t, contents(t, alone), contents(t, out))
}

func TestFailedRunLeavesNothing(t *testing.T) {
	dir := folder(t, "", tensors{"m.weight": of(safetensors.F32, []int{2, 32}, append(make([]float32, 63), float32(math.Inf(1)))...)})
	parent := t.TempDir()
	err := plan(t, dir, ctJob(t, "mxfp4"), 1<<20).WriteFolder(context.Background(), filepath.Join(parent, "out"), WriteOptions{Workers: 1})
	assert.EqualError(t, err, filepath.Join(dir, "model.safetensors")+`: tensor "m.weight": has a NaN or an infinity, which compressed-tensors does not allow`)
	entries, err := os.ReadDir(parent)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestSelection(t *testing.T) {
	matrix := of(safetensors.F32, []int{2, 96}, make([]float32, 192)...)
	dir := folder(t, "", tensors{
		"a.weight": matrix, "b.weight": matrix, "weight": matrix, "lm_head.weight": matrix, "embed_tokens.weight": matrix, "mlp.gate.weight": matrix,
		"norm.weight": of(safetensors.F32, []int{2}, float32(1), 2), "c.weight": of(safetensors.I64, []int{1, 1}, int64(3)),
		"d.weight": of(safetensors.F32, []int{2, 33}, make([]float32, 66)...), "b.bias": matrix,
	})
	p := plan(t, dir, ctJob(t, "mxfp4"), 1<<20)
	what := map[string]string{}
	for _, c := range p.Changes {
		if c.Converted {
			what[c.Tensor.Name()] = "converted"
		} else if c.Kept != "" {
			what[c.Tensor.Name()] = c.Kept
		}
	}
	assert.Equal(t, map[string]string{"a.weight": "converted", "b.weight": "converted",
		"d.weight": "its rows of 33 elements are not whole groups of 32", "weight": "its name does not end in .weight, as that of a module's weight does"}, what)
	var config struct {
		Quant struct{ Ignore []string } `json:"quantization_config"`
	}
	require.NoError(t, json.Unmarshal(p.Config, &config))
	assert.Equal(t, []string{"c", "d", "lm_head", "mlp.gate"}, config.Quant.Ignore)

	_, err := NewCompressedTensors("w3a3", nil, "")
	assert.ErrorContains(t, err, `there is no scheme "w3a3" of compressed-tensors, there are [fp8-block fp8-dynamic mxfp4 nvfp4 w4a16 w4a16-asym w8a8]`)
	_, err = NewPlan(open(t, "testdata/ct/W8A8"), ctJob(t, "w8a8"), 1<<20)
	assert.ErrorContains(t, err, `model.layers.0.mlp.down_proj.weight": is quantized already, by compressed-tensors: dequantize first`)
}
