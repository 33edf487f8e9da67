package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/safetensors"
)

// Checkpoint is a model's tensors, whatever files they lie in and whatever scheme they are quantized by. All its methods, and those of
// its tensors, may be called by several goroutines at a time.
type Checkpoint struct {
	disk    disk
	path    string
	folder  string // where config.json and the shards are
	kind    Kind
	index   *index // nil if there is none
	shards  []*safetensors.File
	gguf    *gguf.File // nil unless that is what it is
	config  *config
	method  string
	tensors []*Tensor
	byName  []*Tensor   // the same, sorted by their names
	stored  []place     // of what lies in shards, sorted by the names
	claimed []*Tensor   // the quantized tensors that the same belong to; nil if there are none
	opened  []io.Closer // what closes with the files
}

// place is where a stored tensor is: the shard, and its number among the shard's tensors.
type place struct{ shard, at int32 }

// Kind is what a checkpoint was opened from.
type Kind uint8

// The kinds.
const (
	File   Kind = iota + 1 // one safetensors file
	Index                  // the index of a sharded checkpoint
	Folder                 // a Hugging Face checkpoint
	GGUF                   // a GGUF file
)

// inFolder tells whether all of a folder belongs to the checkpoint, and not a file of it alone.
func (c *Checkpoint) inFolder() bool { return c.kind == Index || c.kind == Folder }

// String returns file, index, folder or gguf.
func (k Kind) String() string {
	switch k {
	case File:
		return "file"
	case Index:
		return "index"
	case Folder:
		return "folder"
	case GGUF:
		return "gguf"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Open opens a checkpoint: a safetensors file, the index of a sharded one (X.index.json), a folder with one of the two, or a
// GGUF file. What a file is, is told by its first bytes. A config.json beside the weights says how they are quantized.
//
// Open reads headers and small parameters, not weights. A file that is damaged or missing is an error; a tensor whose codes or
// parameters are damaged, missing or of a scheme that is not supported is found by Tensor.Err, so that the others can be used.
func Open(path string) (*Checkpoint, error) { return openOn(disk{}, path) }

// OpenFS opens the safetensors checkpoint that the folder fsys is, as Open does a folder of this machine. Files of weights must be
// io.ReaderAt, for several goroutines at a time. Errors name files as fsys does. Where a FileInfo has a method Version() string, that
// tells one state of a file from another, beside its size and time: see Plan.Digest.
func OpenFS(fsys fs.FS) (*Checkpoint, error) { return openOn(disk{fsys}, ".") }

func openOn(d disk, path string) (*Checkpoint, error) {
	c := &Checkpoint{disk: d, path: path}
	if err := c.open(); err != nil {
		c.Close()
		return nil, err
	}
	if i := slices.IndexFunc(c.tensors, (*Tensor).Quantized); i >= 0 {
		c.method = c.tensors[i].Scheme().Method
	} else if c.inFolder() && c.config.quant != nil {
		c.method = c.config.quant.Method
	}
	return c, nil
}

func (c *Checkpoint) open() error {
	found, err := c.disk.find(c.path)
	if err != nil {
		return err
	}
	c.folder, c.kind, c.index = found.folder, found.kind, found.index
	if c.kind == GGUF {
		return c.openGGUF(c.path)
	}
	for _, path := range found.shards {
		f, closer, err := c.disk.openShard(path)
		if err != nil {
			return err
		}
		if closer != nil {
			c.opened = append(c.opened, closer)
		}
		c.shards = append(c.shards, f)
	}
	if err := c.sortStored(); err != nil {
		return err
	}
	if c.index != nil {
		if err := c.index.check(c); err != nil {
			return err
		}
	}
	if c.config, err = c.disk.readConfig(c.folder); err != nil {
		return err
	}
	return c.resolve()
}

// Close closes the files.
func (c *Checkpoint) Close() error {
	var all []error
	if c.gguf != nil {
		all = append(all, c.gguf.Close())
	}
	for _, f := range c.shards {
		all = append(all, f.Close())
	}
	for _, o := range c.opened {
		all = append(all, o.Close())
	}
	return errors.Join(all...)
}

// Path returns what the checkpoint was opened by.
func (c *Checkpoint) Path() string { return c.path }

// Folder returns the folder that the weights are in.
func (c *Checkpoint) Folder() string { return c.folder }

// Kind tells what the checkpoint was opened from.
func (c *Checkpoint) Kind() Kind { return c.kind }

// Shards returns the safetensors files with the weights, in the order of their names. The caller must not change the list.
func (c *Checkpoint) Shards() []*safetensors.File { return c.shards }

// Method names what the weights are quantized by, as config.json's quant_method has it: compressed-tensors, fp8, mxfp4, gptq, awq,
// bitsandbytes; gguf; lowbit; "" if no tensor is quantized. Of a folder without such a tensor it is what config.json says, as all may be
// kept that were to be quantized.
func (c *Checkpoint) Method() string { return c.method }

// Tensors returns the model's tensors in the order of the shards and of the tensors in them; a quantized one is one tensor, at the place
// of its codes. The caller must not change the list.
func (c *Checkpoint) Tensors() []*Tensor { return c.tensors }

// Lookup returns the tensor of that name.
func (c *Checkpoint) Lookup(name string) (*Tensor, bool) {
	i, ok := slices.BinarySearchFunc(c.byName, name, func(t *Tensor, name string) int { return strings.Compare(t.Name(), name) })
	if !ok {
		return nil, false
	}
	return c.byName[i], true
}

// sortTensors makes it possible to look tensors up, of which no two may have one name.
func (c *Checkpoint) sortTensors() error {
	c.byName = slices.Clone(c.tensors)
	slices.SortStableFunc(c.byName, func(a, b *Tensor) int { return strings.Compare(a.Name(), b.Name()) })
	for i, t := range c.byName {
		if i > 0 && c.byName[i-1].Name() == t.Name() {
			lead := t.lead()
			return refuse(lead.File.Name(), t.Name(), "is there twice: as %q and as %q", c.byName[i-1].lead().Name, lead.Name)
		}
	}
	return nil
}

// sortStored makes it possible to look up what lies in shards.
func (c *Checkpoint) sortStored() error {
	n := 0
	for _, f := range c.shards {
		n += len(f.Tensors())
	}
	c.stored = make([]place, 0, n)
	for i, f := range c.shards {
		for at := range f.Tensors() {
			c.stored = append(c.stored, place{int32(i), int32(at)})
		}
	}
	slices.SortStableFunc(c.stored, func(a, b place) int { return strings.Compare(c.at(a).Name, c.at(b).Name) })
	for i := 1; i < n; i++ {
		if one, two := c.at(c.stored[i-1]), c.at(c.stored[i]); one.Name == two.Name {
			return refuse(two.File.Name(), two.Name, "is in %s too", filepath.Base(one.File.Name()))
		}
	}
	return nil
}

// at returns what is stored at a place.
func (c *Checkpoint) at(p place) Stored {
	f := c.shards[p.shard]
	return Stored{&f.Tensors()[p.at], f}
}

// storedAs returns the tensor that is stored by that name.
func (c *Checkpoint) storedAs(name string) (Stored, bool) {
	i, ok := c.find(name)
	if !ok {
		return Stored{}, false
	}
	return c.at(c.stored[i]), true
}

// find returns the number of a stored tensor among those that are sorted.
func (c *Checkpoint) find(name string) (int, bool) {
	return slices.BinarySearchFunc(c.stored, name, func(p place, name string) int { return strings.Compare(c.at(p).Name, name) })
}

// claimer returns the quantized tensor that a stored one belongs to, nil if there is none.
func (c *Checkpoint) claimer(stored string) *Tensor {
	if i, ok := c.find(stored); ok && c.claimed != nil {
		return c.claimed[i]
	}
	return nil
}

// claim makes a stored tensor, which is there, belong to a quantized one.
func (c *Checkpoint) claim(stored string, t *Tensor) {
	if c.claimed == nil {
		c.claimed = make([]*Tensor, len(c.stored))
	}
	i, _ := c.find(stored)
	c.claimed[i] = t
}

// info is what is stored by that name; nothing if it is not there.
func (c *Checkpoint) info(name string) safetensors.Info {
	if s, ok := c.storedAs(name); ok {
		return *s.Info
	}
	return safetensors.Info{}
}

// owner returns the tensor that a stored one belongs to.
func (c *Checkpoint) owner(stored string) *Tensor {
	if t := c.claimer(stored); t != nil {
		return t
	}
	t, _ := c.Lookup(stored)
	return t
}

// Err returns the first tensor's error.
func (c *Checkpoint) Err() error {
	for _, t := range c.tensors {
		if err := t.Err(); err != nil {
			return err
		}
	}
	return nil
}

// refuse is an error that names file, tensor and reason.
func refuse(file, tensor, format string, args ...any) error {
	return &safetensors.Error{File: file, Tensor: tensor, Err: fmt.Errorf(format, args...)}
}
