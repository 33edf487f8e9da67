package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/safetensors"
)

// Names of files.
const (
	indexSuffix = ".index.json"
	modelFile   = "model.safetensors"
	fileSuffix  = ".safetensors"
)

// found is where a checkpoint's weights are.
type found struct {
	kind   Kind
	folder string
	index  *index
	shards []string // paths
}

// content is what a file is, by its first bytes.
type content uint8

const (
	isSafetensors content = iota
	isJSON
	isGGUF
	isLFS
	isHTML
	isPickle
	isEmpty
)

// refused says of what is no checkpoint what it is.
var refused = map[content]string{
	isLFS:    "is a Git LFS pointer, not the file itself: fetch it with git lfs pull",
	isHTML:   "is an HTML page, not the file itself",
	isPickle: "is a pickle, which can run any program: convert it to safetensors first",
	isEmpty:  "file is empty",
	isGGUF:   "is a GGUF file, want safetensors",
	isJSON:   "is JSON, want safetensors",
}

// longestHeader is the longest header that a safetensors file may have.
const longestHeader = 100_000_000

// tell tells what a file is that begins with those bytes.
func tell(head []byte) content {
	if len(head) == 0 {
		return isEmpty
	}
	pickle := bytes.HasPrefix(head, []byte("PK\x03\x04")) || len(head) > 1 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5
	if pickle && len(head) > 8 && head[2] != 0 && bytes.IndexByte([]byte("{ \t\r\n"), head[8]) < 0 {
		return isPickle // though its first bytes may be a length too, no header follows; 0 is no opcode, but in the length of a short header
	}
	// A safetensors file begins with its header's length.
	if len(head) >= 8 && binary.LittleEndian.Uint64(head) <= longestHeader {
		return isSafetensors
	}
	text := bytes.TrimLeft(head, "\xef\xbb\xbf \t\r\n")
	lower := bytes.ToLower(text)
	switch {
	case bytes.HasPrefix(head, []byte("GGUF")):
		return isGGUF
	case bytes.HasPrefix(head, []byte("version https://git-lfs")):
		return isLFS
	case bytes.HasPrefix(lower, []byte("<!doctype")), bytes.HasPrefix(lower, []byte("<html")):
		return isHTML
	case pickle:
		return isPickle
	case bytes.HasPrefix(text, []byte("{")):
		return isJSON
	}
	return isSafetensors // its reader says what is wrong
}

// tell tells what a file is.
func (d disk) tell(path string) (content, error) {
	stat, err := d.stat(path)
	if err != nil {
		return 0, inFile(path, err)
	}
	if !stat.Mode().IsRegular() {
		return 0, inFile(path, errors.New("is not a regular file"))
	}
	f, err := d.open(path)
	if err != nil {
		return 0, inFile(path, err)
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, inFile(path, err)
	}
	return tell(head[:n]), nil
}

// openShard opens a safetensors file, and says of another what it is.
func (d disk) openShard(path string) (*safetensors.File, io.Closer, error) {
	is, err := d.tell(path)
	if err != nil {
		return nil, nil, err
	}
	if why, no := refused[is]; no {
		return nil, nil, inFile(path, errors.New(why))
	}
	return d.openTensors(path)
}

// inFile names the file of an error, without the operation that the system adds to it.
func inFile(path string, err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		err = e.Err
	}
	return &safetensors.Error{File: path, Err: err}
}

// find finds the files of a checkpoint.
func (d disk) find(path string) (*found, error) {
	stat, err := d.stat(path)
	if err != nil {
		return nil, inFile(path, err)
	}
	if stat.IsDir() {
		return d.findInFolder(path)
	}
	is, err := d.tell(path)
	if err != nil {
		return nil, err
	}
	switch {
	case is == isJSON:
		return d.findByIndex(path)
	case is == isGGUF:
		return &found{kind: GGUF, folder: filepath.Dir(path)}, nil
	case is == isEmpty && strings.HasSuffix(path, indexSuffix):
		return nil, inFile(path, errors.New(refused[is]))
	}
	return &found{kind: File, folder: filepath.Dir(path), shards: []string{path}}, nil
}

// findInFolder finds a folder's one index, else its model.safetensors, else its one safetensors file. An index of other files is none, and one
// that does not say of what it is gives way to model.safetensors.
func (d disk) findInFolder(folder string) (*found, error) {
	entries, err := d.readDir(folder)
	if err != nil {
		return nil, inFile(folder, err)
	}
	var indexes, vague, files, pickles []string
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."), e.IsDir():
		case strings.HasSuffix(name, fileSuffix+indexSuffix):
			indexes = append(indexes, name)
		case strings.HasSuffix(name, indexSuffix):
			if filepath.Ext(strings.TrimSuffix(name, indexSuffix)) == "" {
				vague = append(vague, name)
			}
		case strings.HasSuffix(name, fileSuffix):
			files = append(files, name)
		case strings.HasSuffix(name, ".bin"), strings.HasSuffix(name, ".pt"), strings.HasSuffix(name, ".pth"):
			pickles = append(pickles, name)
		}
	}
	at := func(name string) string { return filepath.Join(folder, name) }
	if len(indexes) == 0 && !slices.Contains(files, modelFile) {
		indexes = vague
	}
	switch {
	case len(indexes) == 1:
		f, err := d.findByIndex(at(indexes[0]))
		if err != nil {
			return nil, err
		}
		f.kind = Folder
		return f, nil
	case len(indexes) > 1:
		return nil, inFile(folder, fmt.Errorf("has the indexes %s: name the one that is meant", strings.Join(indexes, ", ")))
	case slices.Contains(files, modelFile):
		return &found{kind: Folder, folder: folder, shards: []string{at(modelFile)}}, nil
	case len(files) == 1:
		return &found{kind: Folder, folder: folder, shards: []string{at(files[0])}}, nil
	case len(files) > 1:
		return nil, inFile(folder, fmt.Errorf("has %d safetensors files (%s, %s, ...) and no index: name the one that is meant", len(files), files[0], files[1]))
	case len(pickles) > 0:
		return nil, inFile(at(pickles[0]), errors.New(refused[isPickle]))
	}
	return nil, inFile(folder, errors.New("has no safetensors file and no index"))
}

// index is that of a sharded checkpoint.
type index struct {
	path      string
	metadata  map[string]json.RawMessage
	weightMap map[string]string
}

// findByIndex reads an index, and finds its shards beside it.
func (d disk) findByIndex(path string) (*found, error) {
	text, err := d.readFile(path)
	if err != nil {
		return nil, inFile(path, err)
	}
	x := &index{path: path}
	if why, no := refused[tell(text[:min(len(text), 512)])]; no && why != refused[isJSON] {
		return nil, inFile(path, errors.New(why))
	}
	if err := noTwins(text); err != nil {
		return nil, inFile(path, err)
	}
	var content struct {
		Metadata  map[string]json.RawMessage `json:"metadata"`
		WeightMap map[string]string          `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &content); err != nil {
		return nil, inFile(path, fmt.Errorf("is no index: %w", plainJSON(err)))
	}
	if content.WeightMap == nil {
		return nil, inFile(path, errors.New("is no index: it has no weight_map"))
	}
	x.metadata, x.weightMap = content.Metadata, content.WeightMap
	f := &found{kind: Index, folder: filepath.Dir(path), index: x}
	shards := map[string]string{} // to a tensor in it
	for _, tensor := range slices.Sorted(maps.Keys(x.weightMap)) {
		shard := x.weightMap[tensor]
		if shard == "" || shard != filepath.Base(shard) || shard == "." || shard == ".." {
			return nil, refuse(path, tensor, "is said to be in %q, which is no file beside the index", shard)
		}
		if _, ok := shards[shard]; !ok {
			shards[shard] = tensor
		}
	}
	for _, shard := range slices.Sorted(maps.Keys(shards)) {
		p := filepath.Join(f.folder, shard)
		if _, err := d.stat(p); errors.Is(err, fs.ErrNotExist) {
			return nil, refuse(path, shards[shard], "is said to be in %s, which is missing", shard)
		}
		f.shards = append(f.shards, p)
	}
	if len(f.shards) == 0 {
		return nil, inFile(path, errors.New("its weight_map is empty"))
	}
	return f, nil
}

// check holds the index against the shards.
func (x *index) check(c *Checkpoint) error {
	for _, tensor := range slices.Sorted(maps.Keys(x.weightMap)) {
		want := filepath.Join(c.folder, x.weightMap[tensor])
		s, ok := c.storedAs(tensor)
		if !ok {
			return refuse(x.path, tensor, "is in no shard, though weight_map says it is in %s", x.weightMap[tensor])
		}
		if s.File.Name() != want {
			return refuse(x.path, tensor, "is in %s, though weight_map says it is in %s", filepath.Base(s.File.Name()), x.weightMap[tensor])
		}
	}
	for _, f := range c.shards {
		for _, info := range f.Tensors() {
			if _, ok := x.weightMap[info.Name]; !ok {
				return refuse(f.Name(), info.Name, "is not in the weight_map of %s", filepath.Base(x.path))
			}
		}
	}
	return nil
}

// noTwins refuses JSON in which an object has a key twice: which one is meant depends on the reader.
func noTwins(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // one may be of any size
	var value func(depth int) error
	value = func(depth int) error {
		if depth > 100 {
			return errors.New("is JSON of more than 100 levels")
		}
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'):
			keys := map[string]bool{}
			for d.More() {
				key, err := d.Token()
				if err != nil {
					return err
				}
				if keys[key.(string)] {
					return fmt.Errorf("has the key %q twice in one object", key)
				}
				keys[key.(string)] = true
				if err := value(depth + 1); err != nil {
					return err
				}
			}
			_, err = d.Token()
		case json.Delim('['):
			for d.More() {
				if err := value(depth + 1); err != nil {
					return err
				}
			}
			_, err = d.Token()
		}
		return err
	}
	if err := value(0); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("is JSON that is cut short")
		}
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("has text behind its JSON")
	}
	return nil
}
