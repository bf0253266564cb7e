using Weir.Server.Commands;
using Weir.Server.Up;

namespace Weir.Tests.Up;

/// <summary>What a detached `up` starts is an `up` that is not detached.</summary>
public sealed class DetachedTests
{
    [Theory]
    [InlineData("up --detach", "up --json")]
    [InlineData("up --detach=true", "up --json")]
    [InlineData("up --detach:true", "up --json")]
    [InlineData("up --detach true --port 81", "up --port=81 --json")]
    [InlineData("up --json=false --detach --data=/a=b:c", "up --data=/a=b:c --json")]
    [InlineData("up --json --detach --data --detach", "up --data=--detach --json")]
    [InlineData("up --port 81 --detach", "up --port=81 --json")]
    public void It_is_the_same_command_without_detach_and_with_json(string said, string again)
    {
        var parsed = CommandLine.Root().Parse(said.Split(' '));
        parsed.Errors.ShouldBeEmpty();
        string.Join(' ', Detached.Again(parsed.Tokens)).ShouldBe(again);
        CommandLine.Root().Parse(Detached.Again(parsed.Tokens).ToArray()).GetValue<bool>("--detach").ShouldBeFalse();
    }
}
