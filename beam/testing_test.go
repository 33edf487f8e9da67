package beam

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// tensorsOf are the tensors of a shard of the tests: every type that can be quantized, what stays, what is empty, and what 32 does not divide.
func tensorsOf(shard int) []safetensors.Info {
	name := func(format string) string { return fmt.Sprintf(format, shard) }
	return []safetensors.Info{
		{Name: name("model.layers.%d.mlp.up_proj.weight"), DType: safetensors.F32, Shape: safetensors.ShapeOf(96, 128)},
		{Name: name("model.layers.%d.mlp.down_proj.weight"), DType: safetensors.BF16, Shape: safetensors.ShapeOf(64, 256)},
		{Name: name("model.layers.%d.attn.q_proj.weight"), DType: safetensors.F16, Shape: safetensors.ShapeOf(128, 128)},
		{Name: name("model.layers.%d.odd.weight"), DType: safetensors.F32, Shape: safetensors.ShapeOf(7, 100)},
		{Name: name("model.layers.%d.norm.weight"), DType: safetensors.BF16, Shape: safetensors.ShapeOf(128)},
		{Name: name("model.layers.%d.positions"), DType: safetensors.I64, Shape: safetensors.ShapeOf(10)},
		{Name: name("model.layers.%d.empty.weight"), DType: safetensors.F32, Shape: safetensors.ShapeOf(0, 32)},
	}
}

// makeModel makes a checkpoint in a folder.
func makeModel(t testing.TB, dir string, shards int) {
	r := rand.New(rand.NewPCG(1, uint64(shards)))
	weights := map[string]string{}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "extra"), 0o777))
	for i := range shards {
		shard := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, shards)
		if shards == 1 {
			shard = "model.safetensors"
		}
		tensors := tensorsOf(i)
		w, err := safetensors.Create(filepath.Join(dir, shard), map[string]string{"format": "pt"}, tensors)
		require.NoError(t, err)
		for _, info := range w.Tensors() {
			weights[info.Name] = shard
			require.NoError(t, w.WriteTensor(info.Name, randomBytes(r, info), 0))
		}
		require.NoError(t, w.Commit())
	}
	for name, text := range map[string]string{"config.json": `{"torch_dtype": "bfloat16"}`, "tokenizer.json": "{}", "extra/notes.txt": "two\nlines\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	if shards == 1 {
		return
	}
	index, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 1}, "weight_map": weights})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), index, 0o666))
}

// randomBytes are the bytes of a tensor of finite numbers.
func randomBytes(r *rand.Rand, info safetensors.Info) (b []byte) {
	for range info.Elements() {
		v := math.Float32bits(float32(r.NormFloat64()))
		switch info.DType {
		case safetensors.F32:
			b = binary.LittleEndian.AppendUint32(b, v)
		case safetensors.BF16:
			b = binary.LittleEndian.AppendUint16(b, uint16(v>>16))
		case safetensors.F16:
			b = binary.LittleEndian.AppendUint16(b, uint16(r.IntN(0x5c00))|uint16(r.IntN(2))<<15)
		default:
			b = append(b, byte(v), 0, 0, 0, 0, 0, 0, 0)
		}
	}
	return b
}

// filesOf reads a folder.
func filesOf(t testing.TB, dir string) map[string]string {
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		files[filepath.ToSlash(name)] = string(content)
		return err
	}))
	return files
}

// same holds the files of two folders against each other.
func same(t testing.TB, want, got map[string]string) {
	t.Helper()
	for name, content := range want {
		require.Contains(t, got, name)
		if content != got[name] { // not printed: they are long
			require.Failf(t, "files differ", "%s: %d bytes, want %d", name, len(got[name]), len(content))
		}
	}
	for name := range got {
		require.Contains(t, want, name)
	}
}

// built are programs that the tests have built.
var built struct {
	sync.Mutex
	dir   string
	paths map[string]string
}

// program builds a program from the folder of its module.
func program(t testing.TB, module, pkg string) string {
	built.Lock()
	defer built.Unlock()
	if path, ok := built.paths[pkg]; ok {
		return path
	}
	path := filepath.Join(built.dir, filepath.Base(pkg))
	out, err := exec.Command("go", "-C", module, "build", "-buildvcs=false", "-o", path, pkg).CombinedOutput()
	require.NoError(t, err, "%s", out)
	built.paths[pkg] = path
	return path
}

// tool runs lowbit.
func tool(t testing.TB, args ...string) {
	t.Helper()
	out, err := exec.Command(program(t, "..", "./cmd/lowbit"), args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lowbit-beam")
	if err != nil {
		panic(err)
	}
	built.dir, built.paths = dir, map[string]string{}
	os.Setenv("TMPDIR", dir) // the engine leaves files there
	flag.Parse()
	beam.Init()
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
