package checkpoint

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/safetensors"
)

// Plan is what a conversion of a checkpoint comes to: the header of each output and the pieces that make it up. It is a pure function of
// the headers, small parameters and config.json of the input, of the conversion and of the size of pieces: whoever makes it anew has the
// same one, and any number of workers may do the pieces in any order, as often as they like.
type Plan struct {
	Shards  []Shard
	Changes []Change
	Config  []byte // the new config.json; nil if there is to be none
	Index   []byte // the new index; nil if there is to be none

	// Before and After are the sizes of all tensors.
	Before, After int64

	in    *Checkpoint
	most  int64    // bytes of a piece
	paths []string // of the shards' inputs
	job   string
	stays bool // some tensor stays quantized
}

// Shard is a file that is written.
type Shard struct {
	Name    string // without the folder
	Head    []byte // the file's beginning, up to the data
	Size    int64  // of the file
	Tensors []safetensors.Info
	Pieces  []Task // in the order of the tensors

	converters []Converter
}

// Task is a piece of a shard: its runs cover the tensors of all tasks exactly.
type Task struct {
	Piece
	converter int
}

// Change is what becomes of a tensor.
type Change struct {
	Tensor        *Tensor
	Converted     bool
	Kept          string // why it stays as it is although it was selected
	Outputs       []safetensors.Info
	Before, After int64 // bytes
}

// Job is a conversion of a checkpoint.
type Job interface {
	// Convert returns how a tensor is converted, or nil if it stays as it is stored, with all its parts. If it stays although it was
	// meant to be converted, the error is a Kept.
	Convert(t *Tensor) (Converter, error)

	// String tells one job from another: the same job has the same string.
	String() string

	// Metadata returns the metadata of the output of a shard, whose tensors are stored by those names; f is nil if it is a GGUF file. What
	// Convert has made of the tensor that a stored one belongs to is told by the latter's name; it is nil if it is kept as it is.
	Metadata(f *safetensors.File, names iter.Seq[string], made func(name string) Converter) (map[string]string, error)

	// Config returns the new config.json. It is given the old one, nil if there is none, and what becomes of each tensor. It returns nil
	// where there is to be none.
	Config(old []byte, changes []Change) ([]byte, error)
}

// NewPlan plans a job, in pieces of some most bytes. A model may have very many tensors: of each the plan holds little beside the header of what
// is written.
func NewPlan(c *Checkpoint, job Job, most int64) (*Plan, error) {
	p := &Plan{in: c, most: most, job: job.String(), Changes: make([]Change, 0, len(c.tensors))}
	converters := make([]Converter, len(c.tensors)) // nil: the tensor stays
	positions := make(map[*Tensor]int32, len(c.tensors))
	for i, t := range c.tensors {
		positions[t] = int32(i)
		conv, err := job.Convert(t)
		var kept Kept
		if err != nil && !errors.As(err, &kept) {
			return nil, err
		}
		change := Change{Tensor: t, Converted: conv != nil, Kept: string(kept)}
		for _, part := range t.Parts() {
			change.Before += part.Size
		}
		converters[i] = conv
		p.stays = p.stays || t.Quantized() && conv == nil
		p.Changes = append(p.Changes, change)
	}

	place := func(stored string) int32 { return positions[c.owner(stored)] }
	for _, f := range c.files() {
		if err := p.addShard(f, job, converters, place); err != nil {
			return nil, err
		}
	}
	if err := p.checkNames(converters); err != nil {
		return nil, err
	}
	for i := range p.Changes {
		p.Before += p.Changes[i].Before
		p.After += p.Changes[i].After
	}

	var err error
	if p.Config, err = job.Config(c.config.text, p.Changes); err != nil {
		return nil, err
	}
	p.Config = restoreNumbers(p.Config)
	if c.index != nil {
		if p.Index, err = p.newIndex(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// addShard plans what a file of the input becomes. place gives the position among converters of the tensor that a stored one belongs to.
func (p *Plan) addShard(f file, job Job, converters []Converter, place func(stored string) int32) error {
	name := filepath.Base(f.path)
	if !p.in.inFolder() && !strings.HasSuffix(name, fileSuffix) {
		name += fileSuffix // by which it is found in a folder
	}
	shard := Shard{Name: name, converters: make([]Converter, 0, f.count), Pieces: make([]Task, 0, f.count)}
	p.paths = append(p.paths, f.path)
	count := 0                           // of outputs
	ends := make([]int32, 0, f.count)    // of the outputs of each converter
	changes := make([]int32, 0, f.count) // that each converter is part of
	for s := range f.stored {
		i := place(s.Name)
		conv := converters[i]
		if conv != nil && p.in.tensors[i].lead().Name != s.Name {
			continue // the codes stand for all of it
		}
		if conv == nil {
			conv = keeper{s}
		}
		shard.converters = append(shard.converters, conv)
		count += len(conv.Outputs())
		ends, changes = append(ends, int32(count)), append(changes, i)
	}
	outputs := make([]safetensors.Info, 0, count) // of very many tensors, to grow takes more than to ask twice
	for _, conv := range shard.converters {
		outputs = append(outputs, conv.Outputs()...)
	}
	metadata, err := job.Metadata(f.file, f.names, func(name string) Converter { return converters[place(name)] })
	if err != nil {
		return err
	}
	if shard.Head, shard.Tensors, err = safetensors.Layout(metadata, outputs); err != nil {
		if e, ok := errors.AsType[*safetensors.Error](err); ok && p.clash(converters, e.Tensor) != nil {
			return p.clash(converters, e.Tensor)
		}
		return inFile(f.path, err)
	}
	shard.Size = int64(len(shard.Head))
	begin := 0
	for i, conv := range shard.converters {
		change := &p.Changes[changes[i]]
		outputs := shard.Tensors[begin:ends[i]:ends[i]]
		if change.Outputs == nil {
			change.Outputs = outputs
		} else { // parts that stay
			change.Outputs = append(change.Outputs, outputs...)
		}
		for _, o := range outputs {
			shard.Size += o.Size
			change.After += o.Size
		}
		for piece := range conv.Pieces(p.most) {
			for r := range piece.Runs {
				piece.Runs[r].Output += begin
			}
			shard.Pieces = append(shard.Pieces, Task{piece, i})
		}
		begin = int(ends[i])
	}
	p.Shards = append(p.Shards, shard)
	return nil
}

// checkNames refuses two tensors of one name in two shards. Two in one are refused where it is laid out.
func (p *Plan) checkNames(converters []Converter) error {
	if len(p.Shards) < 2 {
		return nil
	}
	type written struct {
		name  string
		shard int
	}
	var all []written
	for i, s := range p.Shards {
		for _, t := range s.Tensors {
			all = append(all, written{t.Name, i})
		}
	}
	slices.SortFunc(all, func(a, b written) int { return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.shard, b.shard)) })
	for i := 1; i < len(all); i++ {
		if w := all[i]; w.name == all[i-1].name {
			if err := p.clash(converters, w.name); err != nil {
				return err
			}
			return refuse(p.paths[w.shard], w.name, "would be written twice")
		}
	}
	return nil
}

// clash refuses the tensor beside which something of that name would be written, though another tensor has it. It is nil if there is none.
func (p *Plan) clash(converters []Converter, name string) error {
	for i, t := range p.in.tensors {
		if converters[i] == nil || t.Name() == name {
			continue
		}
		if slices.ContainsFunc(converters[i].Outputs(), func(o safetensors.Info) bool { return o.Name == name }) {
			return t.refuse("its %q would be written to a name that is taken already", name)
		}
	}
	return nil
}

// file is a file that is read.
type file struct {
	path   string
	file   *safetensors.File // nil if it is a GGUF file
	count  int               // of the tensors that are stored in it
	stored iter.Seq[Stored]
}

// names are those of the tensors that are stored in it.
func (f file) names(yield func(string) bool) {
	for s := range f.stored {
		if !yield(s.Name) {
			return
		}
	}
}

// metadataOf is a file's metadata, nil of a GGUF file, whose own has other types.
func metadataOf(f *safetensors.File) map[string]string {
	if f == nil {
		return nil
	}
	return f.Metadata()
}

// files lists the files that are read.
func (c *Checkpoint) files() (files []file) {
	for _, f := range c.shards {
		files = append(files, file{f.Name(), f, len(f.Tensors()), func(yield func(Stored) bool) {
			for i := range f.Tensors() {
				if !yield(Stored{&f.Tensors()[i], f}) {
					return
				}
			}
		}})
	}
	if c.gguf != nil {
		files = append(files, file{c.gguf.Name(), nil, len(c.tensors), func(yield func(Stored) bool) {
			for _, t := range c.tensors {
				if !yield(t.lead()) {
					return
				}
			}
		}})
	}
	return files
}

// newIndex makes the new index of the old one.
func (p *Plan) newIndex() ([]byte, error) {
	metadata := maps.Clone(p.in.index.metadata)
	if metadata == nil {
		metadata = map[string]json.RawMessage{}
	}
	metadata["total_size"] = fmt.Append(nil, p.After)
	weights := map[string]string{}
	for _, s := range p.Shards {
		for _, t := range s.Tensors {
			weights[t.Name] = s.Name
		}
	}
	text, err := json.MarshalIndent(map[string]any{"metadata": metadata, "weight_map": weights}, "", "  ")
	return append(text, '\n'), err
}

// Do does a piece of a shard, and hands over the results: data and the byte of the file that they belong to. The memory of s is theirs.
func (p *Plan) Do(s *Scratch, shard *Shard, task Task, write func(data []byte, off int64) error) error {
	results, err := shard.converters[task.converter].Do(s, task.Piece)
	if err != nil {
		return err
	}
	for i, r := range task.Runs {
		if err := write(results[i], int64(len(shard.Head))+shard.Tensors[r.Output].Offset+r.Offset); err != nil {
			return err
		}
	}
	return nil
}

// digestBytes is how many bytes a digest has, each two letters.
const digestBytes = 8

// Digest tells plans apart: by what is to be written and by the files that are read, as their sizes and times tell.
func (p *Plan) Digest() (string, error) {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\n", p.job)
	for i, s := range p.Shards {
		stat, err := p.in.disk.stat(p.paths[i])
		if err != nil {
			return "", inFile(p.paths[i], err)
		}
		fmt.Fprintf(h, "%q %d %d %d\n", s.Name, stat.Size(), stat.ModTime().UnixNano(), len(s.Head))
		if v, ok := stat.(interface{ Version() string }); ok {
			fmt.Fprintf(h, "%q\n", v.Version())
		}
		h.Write(s.Head)
	}
	h.Write(p.Config)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Converted counts the tensors that are converted.
func (p *Plan) Converted() (n int) {
	for _, c := range p.Changes {
		if c.Converted {
			n++
		}
	}
	return n
}

// IndexName returns the name of the index, "" if there is none.
func (p *Plan) IndexName() string {
	if p.in.index == nil {
		return ""
	}
	return filepath.Base(p.in.index.path)
}

// OtherFiles lists the files of the input's folder that go to the output as they are: those that are neither weights nor written anew. Names
// are relative to the folder, with slashes. Those in hidden folders are left out, and those in folders that skip, unless it is nil, tells.
func (p *Plan) OtherFiles(skip func(folder string) bool) (files []string, err error) {
	c := p.in
	own := []string{configFile}
	if !p.stays {
		own = append(own, gptqConfigFile)
	}
	for _, f := range c.shards {
		own = append(own, filepath.Base(f.Name()))
	}
	if c.index != nil {
		own = append(own, p.IndexName())
	}
	folder, err := c.disk.folder(c.folder)
	if err != nil {
		return nil, inFile(c.folder, err)
	}
	err = fs.WalkDir(folder, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name != "." && (e.Name()[0] == '.' || skip != nil && skip(name)) {
				return fs.SkipDir
			}
			return nil
		}
		if slices.Contains(own, name) {
			return nil
		}
		if stat, err := fs.Stat(folder, name); err != nil || !stat.Mode().IsRegular() {
			return nil // a link to nowhere or to a folder, a socket
		}
		files = append(files, name)
		return nil
	})
	if err != nil {
		return nil, inFile(c.folder, err)
	}
	return files, nil
}

// sameFile tells whether two paths lead to the same file.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
