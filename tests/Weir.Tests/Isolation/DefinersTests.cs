using Weir.Isolation;

namespace Weir.Tests.Isolation;

public sealed class DefinersTests
{
    [Fact]
    public void The_tables_of_the_page_are_read() => Definers.Parse("""
        | function | owner | executed by | why it is a definer |
        | --- | --- | --- | --- |
        | `weir.my_agents` | weir_system | authenticated, weir_writer | policies ask it |

        | function | owner | executed by | why it is a definer |
        | --- | --- | --- | --- |
        | `weir.first_1` | the owner | weir_engine | only a table's owner may |

        Every other function, `weir.second` too, has its caller's rights.
        """.ReplaceLineEndings("\n")).Select(d => $"{d.Name} {d.Owner} {string.Join('+', d.Executors)}").ShouldBe(
        ["weir.my_agents weir_system authenticated+weir_writer", "weir.first_1 the owner weir_engine"]);
}
