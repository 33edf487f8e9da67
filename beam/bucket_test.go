package beam

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/checkpoint"
)

// upload puts files in a bucket, and download gets them.
func upload(t testing.TB, at string, files map[string]string) *place {
	p, err := openPlace(t.Context(), at)
	require.NoError(t, err)
	for name, content := range files {
		require.NoError(t, p.put(t.Context(), name, []byte(content)))
	}
	return p
}

func download(t testing.TB, at string) map[string]string {
	p, err := openPlace(t.Context(), at)
	require.NoError(t, err)
	files := map[string]string{}
	require.NoError(t, listKeys(t.Context(), p.bucket, "", func(key string) error {
		content, err := p.bucket.ReadAll(t.Context(), key)
		files[key] = string(content)
		return err
	}))
	return files
}

// Buckets hold what the tool writes, also where requests fail and bodies break off.
func TestBuckets(t *testing.T) {
	s3, at := newFakeS3(t)
	for _, test := range []struct {
		name    string
		url     func(prefix string) string
		shards  int
		presets []string
	}{
		{"memory", func(prefix string) string { return "mem://buckets/" + prefix }, 3, []string{"int8", "int4-g32", "mxfp4", "w8a8"}},
		{"one file", func(prefix string) string { return "mem://one/" + prefix }, 1, []string{"uint4-g32"}},
		{"S3", at, 2, []string{"int4-g32"}},
	} {
		dir := t.TempDir()
		in := filepath.Join(dir, "in")
		makeModel(t, in, test.shards)
		upload(t, test.url("in"), filesOf(t, in))
		for _, preset := range test.presets {
			t.Run(test.name+"/"+preset, func(t *testing.T) {
				want := filepath.Join(dir, preset)
				tool(t, "quantize", "--preset", preset, "-o", want, in)
				s3.fails = 7
				defer func() { s3.fails = 0 }()
				j := Job{Do: quantize, In: test.url("in"), Out: test.url(preset), Preset: preset, Piece: 8 << 10, Span: 4}
				_, err := Run(t.Context(), j)
				require.NoError(t, err)
				r, err := Run(t.Context(), j)
				require.NoError(t, err)
				require.True(t, r.Nothing)
				s3.fails = 0
				same(t, filesOf(t, want), download(t, test.url(preset)))
			})
		}
	}
	require.Greater(t, s3.failed, 4)
}

// begun makes what a worker knows of a job, and its stage.
func begun(t testing.TB, j Job) *work {
	require.NoError(t, j.begin(t.Context()))
	w, err := newWork(t.Context(), j)
	require.NoError(t, err)
	t.Cleanup(func() { forget(j) })
	require.NoError(t, w.out.begin(t.Context()))
	return w
}

// Pieces may be done in any order, more than once, in spans of any length, by workers that come late.
func TestDuplicatesAndZombies(t *testing.T) {
	dir := t.TempDir()
	in, want := filepath.Join(dir, "in"), filepath.Join(dir, "want")
	makeModel(t, in, 2)
	tool(t, "quantize", "--preset", "int4-g32", "-o", want, in)
	upload(t, "mem://zombies/in", filesOf(t, in))
	for i, places := range [][2]string{{in, filepath.Join(dir, "got")}, {"mem://zombies/in", "mem://zombies/got"}} {
		ctx := t.Context()
		w := begun(t, Job{Do: quantize, In: places[0], Out: places[1], Preset: "int4-g32", Piece: 8 << 10, Span: 4, Workers: 2})
		for target := range w.targets {
			_, err := w.out.prepare(ctx, target)
			require.NoError(t, err)
			n := w.targets[target].pieces
			var spans []span
			for first := 0; first < n; first++ {
				spans = append(spans, span{first, min(n, first+1)}, span{first, min(n, first+3)})
			}
			slices.Reverse(spans)
			for _, s := range slices.Concat(spans, spans[:3]) {
				require.NoError(t, w.do(ctx, target, s))
			}
			late, err := w.out.stage(ctx, target, span{0, 1})
			require.NoError(t, err)
			require.NoError(t, w.join(ctx, target))
			require.NoError(t, w.piece(new(checkpoint.Scratch), late, target, 0))
			require.NoError(t, late.commit())
		}
		for _, f := range w.others {
			require.NoError(t, w.out.copy(ctx, f))
		}
		require.NoError(t, w.finish(ctx))
		require.NoError(t, w.finish(ctx), "done again")
		got := map[string]string(nil)
		if i == 0 {
			got = filesOf(t, places[1])
		} else {
			got = download(t, places[1])
		}
		same(t, filesOf(t, want), got)
	}
}

// A run that ended between two shards is taken up; what another job has left, or an input that has changed, is not.
func TestTakenUpAndRefused(t *testing.T) {
	dir := t.TempDir()
	in, want := filepath.Join(dir, "in"), filepath.Join(dir, "want")
	makeModel(t, in, 3)
	files := filesOf(t, in)
	tool(t, "quantize", "--preset", "int8", "-o", want, in)
	at := upload(t, "mem://again/in", files)
	j := Job{Do: quantize, In: "mem://again/in", Out: "mem://again/out", Preset: "int8", Piece: 8 << 10, Span: 4}
	w := begun(t, j)
	_, err := w.out.prepare(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, w.do(t.Context(), 0, span{0, w.targets[0].pieces}))
	require.NoError(t, w.join(t.Context(), 0))
	require.NoError(t, w.do(t.Context(), 1, span{0, 2}))

	other := j
	other.Preset = "int4-g32"
	_, err = Run(t.Context(), other)
	require.ErrorContains(t, err, "is not empty and is not what this job makes")

	first := slices.Min(slices.Collect(maps.Keys(files)))
	changed := upload(t, "mem://changed/in", files)
	moved := j
	moved.In, moved.Out = "mem://changed/in", "mem://changed/out"
	w = begun(t, moved)
	require.NoError(t, changed.put(t.Context(), w.targets[0].name, []byte(strings.Repeat("x", len(files[w.targets[0].name])))))
	_, err = w.out.prepare(t.Context(), 0)
	require.NoError(t, err)
	require.ErrorContains(t, w.finish(t.Context()), "has changed since the job began")

	r, err := Run(t.Context(), j)
	require.NoError(t, err)
	require.Equal(t, int64(w.targets[0].pieces+2), r.Counters["pieces_taken_up"])
	same(t, filesOf(t, want), download(t, "mem://again/out"))
	require.NoError(t, at.put(t.Context(), first, []byte(files[first])))
	_, err = Run(t.Context(), j)
	require.ErrorContains(t, err, "since when "+first+" has changed")
}

// What an earlier run has staged of an input that has changed since is not taken up, and is dropped.
func TestStaleStage(t *testing.T) {
	dir := t.TempDir()
	in, want := filepath.Join(dir, "in"), filepath.Join(dir, "want")
	makeModel(t, in, 2)
	before := filesOf(t, in)
	shard := "model-00001-of-00002.safetensors"
	changed := []byte(before[shard])
	for i := range changed[len(changed)/2:] {
		changed[len(changed)/2+i] &= 0xbf // what was finite is so still
	}
	upload(t, "mem://stale/in", before)
	for _, places := range [][2]string{{in, filepath.Join(dir, "got")}, {"mem://stale/in", "mem://stale/got"}} {
		j := Job{Do: quantize, In: places[0], Out: places[1], Preset: "int4-g32", Piece: 8 << 10, Span: 4}
		w := begun(t, j)
		for target := range w.targets {
			_, err := w.out.prepare(t.Context(), target)
			require.NoError(t, err)
			require.NoError(t, w.do(t.Context(), target, span{0, 3}))
		}
		if places[0] == in {
			require.NoError(t, os.WriteFile(filepath.Join(in, shard), changed, 0o666))
			now := time.Now().Add(-time.Hour)
			require.NoError(t, os.Chtimes(filepath.Join(in, shard), now, now))
			tool(t, "quantize", "--preset", "int4-g32", "-o", want, in)
		} else {
			upload(t, places[0], map[string]string{shard: string(changed)})
		}
		r, err := Run(t.Context(), j)
		require.NoError(t, err)
		require.Zero(t, r.Counters["pieces_taken_up"])
		if places[0] == in {
			same(t, filesOf(t, want), filesOf(t, places[1]))
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, 3, "no stage is left")
		} else {
			same(t, filesOf(t, want), download(t, places[1]))
		}
	}
}

// What breaks off is read on from there.
func TestLateReader(t *testing.T) {
	s3, at := newFakeS3(t)
	s3.fails = 2
	content := bytes.Repeat([]byte("0123456789"), 1000)
	p := upload(t, at("late"), map[string]string{"x": string(content)})
	r := &lateReader{o: &bucketOutput{place: p}, ctx: t.Context(), key: "x", at: 5, left: 9990}
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content[5:9995], got), fmt.Sprint(len(got)))
}
