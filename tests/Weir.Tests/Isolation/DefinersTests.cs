using Weir.Isolation;

namespace Weir.Tests.Isolation;

public sealed class DefinersTests
{
    [Fact]
    public void The_tables_and_the_sentences_of_the_page_are_read() => Definers.Parse("""
        | function | owner | executed by | why it is a definer |
        | --- | --- | --- | --- |
        | `weir.my_agents` | weir_system | authenticated, weir_writer | policies ask it |

        `weir.first` and `weir.second`, executed by `weir_engine`: both are the migrator's.
        """.ReplaceLineEndings("\n")).Select(d => $"{d.Name} {d.Owner} {string.Join('+', d.Executors)}").ShouldBe(
        ["weir.my_agents weir_system authenticated+weir_writer", "weir.first the owner weir_engine", "weir.second the owner weir_engine"]);
}
