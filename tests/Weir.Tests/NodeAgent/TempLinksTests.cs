extern alias NodeAgent;

using NodeAgent::Weir.NodeAgent.Servers;
using Weir.Tests.Fixtures;

namespace Weir.Tests.NodeAgent;

public sealed class TempLinksTests : IDisposable
{
    private const UnixFileMode OwnersAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Passable = OwnersAlone | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly string _host = Directory.CreateTempSubdirectory("weir-links-").FullName;

    public void Dispose() => Directory.Delete(_host, recursive: true);

    [Fact]
    public void Servers_pass_through_both_directories_whatever_the_nodes_umask_was_and_list_neither()
    {
        // As a umask of 0077 leaves it.
        File.SetUnixFileMode(_host, OwnersAlone);
        using var links = TempLinks.Make(firstUid: 200_000, _host, TempLinks.NewName);
        File.GetUnixFileMode(_host).ShouldBe(Passable);
        File.GetUnixFileMode(Path.Combine(_host, "t200000")).ShouldBe(Passable);
    }

    [Fact]
    public void Names_are_random_and_one_that_is_taken_is_drawn_again()
    {
        var drawn = new Queue<string>(["abcdefgh", "abcdefgh", "ijklmnop"]);
        using var links = TempLinks.Make(firstUid: 200_000, _host, drawn.Dequeue);
        var (first, second) = (Guid.NewGuidForTests(), Guid.NewGuidForTests());
        var link = links.To(first, "/first");
        link.ShouldBe(Path.Combine(_host, "t200000", "abcdefgh"));
        links.To(second, "/second").ShouldBe(Path.Combine(_host, "t200000", "ijklmnop"));
        links.To(first, "/first").ShouldBe(link);
        new FileInfo(link).LinkTarget.ShouldBe("/first");

        links.Remove(first);
        Path.Exists(link).ShouldBeFalse();
        TempLinks.NewName().ShouldNotBe(TempLinks.NewName());
        // A socket in it, with the longest number of a range.
        (Path.Combine(TempLinks.HostDirectory, $"t{uint.MaxValue}", TempLinks.NewName()).Length).ShouldBeLessThan(40);
    }
}
