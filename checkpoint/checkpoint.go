package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

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
	byName  map[string]*Tensor
	claimed map[string]*Tensor // stored tensors that belong to quantized ones
	stored  map[string]place   // of what lies in shards
	opened  []io.Closer        // what closes with the files
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
	c := &Checkpoint{disk: d, path: path, byName: map[string]*Tensor{}, claimed: map[string]*Tensor{}, stored: map[string]place{}}
	if err := c.open(); err != nil {
		c.Close()
		return nil, err
	}
	if i := slices.IndexFunc(c.tensors, (*Tensor).Quantized); i >= 0 {
		c.method = c.tensors[i].scheme.Method
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
	for i, path := range found.shards {
		f, closer, err := c.disk.openShard(path)
		if err != nil {
			return err
		}
		if closer != nil {
			c.opened = append(c.opened, closer)
		}
		c.shards = append(c.shards, f)
		for at, info := range f.Tensors() {
			if other, twice := c.stored[info.Name]; twice {
				return refuse(path, info.Name, "is in %s too", filepath.Base(found.shards[other.shard]))
			}
			c.stored[info.Name] = place{int32(i), int32(at)}
		}
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
// bitsandbytes; gguf; "" if no tensor is quantized.
func (c *Checkpoint) Method() string { return c.method }

// Tensors returns the model's tensors in the order of the shards and of the tensors in them; a quantized one is one tensor, at the place
// of its codes. The caller must not change the list.
func (c *Checkpoint) Tensors() []*Tensor { return c.tensors }

// Lookup returns the tensor of that name.
func (c *Checkpoint) Lookup(name string) (*Tensor, bool) {
	t, ok := c.byName[name]
	return t, ok
}

// storedAs returns the tensor that is stored by that name.
func (c *Checkpoint) storedAs(name string) (Stored, bool) {
	p, ok := c.stored[name]
	if !ok {
		return Stored{}, false
	}
	f := c.shards[p.shard]
	return Stored{f.Tensors()[p.at], f}, true
}

// info is what is stored by that name; nothing if it is not there.
func (c *Checkpoint) info(name string) safetensors.Info {
	s, _ := c.storedAs(name)
	return s.Info
}

// owner returns the tensor that a stored one belongs to.
func (c *Checkpoint) owner(stored string) *Tensor {
	if t := c.claimed[stored]; t != nil {
		return t
	}
	return c.byName[stored]
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
