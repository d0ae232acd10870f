"""gdb helpers: printers for View, Buffer, Step and Net, and a few commands. In gdb: source tools/gdb/purescope.py

  ps-break NAME [backward]   stop before the step of that name (backward: before its line of the backward list)
  ps-steps NET [WORD]        the steps of a net whose names hold WORD
  ps-value NET NAME          the output of a step, and its gradient where there is one
  ps-nan NET                 the first step whose output holds a NaN or an infinity
  ps-save NET FILE           the outputs of all steps, for ps-diff in another run
  ps-diff NET NET2|FILE      the first step whose output differs, and by how much

NET is an expression, for example  *this  or  unet . A debug build keeps every value after a pass.
"""
import array
import math
import pickle

import gdb
import gdb.printing

NO_SLOT = 2**64 - 1


def text(string):
    """A std::string of the program as text."""
    return string["_M_dataplus"]["_M_p"].string()


def items(vector):
    """The elements of a std::vector."""
    first, last = vector["_M_impl"]["_M_start"], vector["_M_impl"]["_M_finish"]
    return [first[i] for i in range(int(last - first))]


def heads(part):
    """Everything called _M_head_impl in a std::tuple and its bases."""
    for field in part.type.strip_typedefs().fields():
        if field.is_base_class:
            yield from heads(part.cast(field.type))
        elif field.name == "_M_head_impl":
            yield part[field]


def numbers(pointer, count):
    """`count` reals at `pointer`."""
    kind = "f" if pointer.type.target().strip_typedefs().sizeof == 4 else "d"
    values = array.array(kind)
    values.frombytes(gdb.selected_inferior().read_memory(int(pointer), count * values.itemsize).tobytes())
    return values


def summary(values):
    """Range, mean and the number of values that are not finite."""
    finite = [v for v in values if math.isfinite(v)]
    bad = len(values) - len(finite)
    line = f"min {min(finite):.6g} max {max(finite):.6g} mean {math.fsum(finite) / len(finite):.6g}" if finite else "nothing finite"
    return line + (f", {bad} of {len(values)} not finite" if bad else "")


def show(pointer, sizes):
    """What stands in a tensor of these sizes: shape, summary, first values."""
    if int(pointer) == 0:
        return "empty"
    values = numbers(pointer, math.prod(sizes))
    first = ", ".join(f"{v:.6g}" for v in values[:4])
    return f"{'x'.join(map(str, sizes))}: {summary(values)}; first {first}"


def op_of(step):
    return str(step["op"]).split("::")[-1]


def place(step):
    return f"src/{step['file'].string().split('/src/')[-1]}:{int(step['line'])}"


class ViewPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return "View " + show(self.value["data"], [int(self.value[k]) for k in "nchw"])


class BufferPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        box = self.value["data_"]["_M_t"]["_M_t"]  # of a unique_ptr; the deleter hides the name _M_head_impl
        pointer = next(part for part in heads(box) if part.type.strip_typedefs().code == gdb.TYPE_CODE_PTR)
        count = int(self.value["size_"])
        return "Buffer " + (show(pointer, [count]) if count else "empty")


class StepPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        s = self.value
        inputs = [str(int(s["in"][k])) for k in range(3) if int(s["in"][k]) >= 0]
        return f"Step {text(s['name'])} ({op_of(s)}): values {', '.join(inputs)} -> {int(s['out'])}, declared at {place(s)}"


class NetPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        n = self.value
        model, plan = n["model_"], n["plan_"]
        return (f"Net {text(model['arch'])}: {len(items(model['steps']))} steps, batch {int(n['batch_'])} of {int(plan['batch'])}, "
                f"{str(plan['mode']).split('::')[-1]}, arena {int(plan['arena'])} reals")


def slot(net, kind, value_id):
    """Pointer and sizes of a value ("value") or gradient ("grad") of a net; None where the plan has no place for it."""
    offset = int(items(net["plan_"][kind])[value_id])
    if offset == NO_SLOT:
        return None
    info = items(net["model_"]["values"])[value_id]
    return net["base_"] + offset, [int(net["batch_"])] + [int(info[k]) for k in "chw"]


def outputs(net):
    """(name, op, place, values) of every step, in order."""
    for step in items(net["model_"]["steps"]):
        pointer, sizes = slot(net, "value", int(step["out"]))
        yield text(step["name"]), op_of(step), place(step), numbers(pointer, math.prod(sizes))


class StepBreakpoint(gdb.Breakpoint):
    """Stops at Net::forward_step or Net::backward_step where the step has the wanted name."""

    def __init__(self, name, backward):
        super().__init__("backward_step" if backward else "forward_step", type=gdb.BP_BREAKPOINT)
        self.wanted, self.backward = name, backward

    def stop(self):
        frame = gdb.selected_frame()
        steps = frame.read_var("this").dereference()["model_"]["steps"]
        index = int(frame.read_var("line")["step"] if self.backward else frame.read_var("index"))
        step = items(steps)[index]
        if text(step["name"]) != self.wanted:
            return False
        print(f"step {index}: {StepPrinter(step).to_string()}")
        return True


class Command(gdb.Command):
    """Makes a gdb command of a function of its words."""

    def __init__(self, name, work):
        super().__init__(name, gdb.COMMAND_DATA)
        self.work = work

    def invoke(self, argument, from_tty):
        self.work(*gdb.string_to_argv(argument))


def net_of(expression):
    value = gdb.parse_and_eval(expression)
    return value.dereference() if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR else value.referenced_value() \
        if value.type.code == gdb.TYPE_CODE_REF else value


def ps_break(name, direction="forward"):
    StepBreakpoint(name, direction == "backward")


def ps_steps(net, word=""):
    for i, step in enumerate(items(net_of(net)["model_"]["steps"])):
        if word in text(step["name"]):
            print(f"{i:4}  {StepPrinter(step).to_string()}")


def ps_value(net, name):
    net = net_of(net)
    for step in items(net["model_"]["steps"]):
        if text(step["name"]) == name:
            for kind in ("value", "grad"):
                found = slot(net, kind, int(step["out"]))
                if found:
                    print(f"{kind:5} {show(*found)}")


def ps_nan(net):
    for i, (name, op, where, values) in enumerate(outputs(net_of(net))):
        if not all(map(math.isfinite, values)):
            print(f"step {i}, {name} ({op}), declared at {where}: {summary(values)}")
            return
    print("every output is finite")


def ps_save(net, path):
    with open(path, "wb") as file:
        pickle.dump(list(outputs(net_of(net))), file)


def ps_diff(a, b):
    try:
        other = outputs(net_of(b))
    except gdb.error:
        with open(b, "rb") as file:
            other = pickle.load(file)
    for i, ((name, op, where, x), (_, _, _, y)) in enumerate(zip(outputs(net_of(a)), other)):
        worst = max((abs(p - q) for p, q in zip(x, y) if math.isfinite(p) and math.isfinite(q)), default=math.nan)
        if x.tobytes() != y.tobytes():
            print(f"step {i}, {name} ({op}), declared at {where}: {sum(p != q for p, q in zip(x, y))} of {len(x)} values differ, finite ones by at most {worst:.6g}")
            return
    print("all outputs have the same bits")


printers = gdb.printing.RegexpCollectionPrettyPrinter("purescope")
for kind, printer in (("View", ViewPrinter), ("Buffer", BufferPrinter), ("Step", StepPrinter), ("Net", NetPrinter)):
    printers.add_printer(kind, rf"^purescope::f(32|64)::{kind}$", printer)
gdb.printing.register_pretty_printer(None, printers, replace=True)
for name, work in (("ps-break", ps_break), ("ps-steps", ps_steps), ("ps-value", ps_value), ("ps-nan", ps_nan), ("ps-save", ps_save),
                   ("ps-diff", ps_diff)):
    Command(name, work)
