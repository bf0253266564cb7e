using System.Text.Json;
using Weir.Nodes;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Commands;

public sealed class NodeCommandTests(TestDatabase database) : IClassFixture<TestDatabase>, IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-node-command-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Register_prints_a_token_and_refuses_a_name_that_is_known()
    {
        var config = Path.Combine(_directory, "weir.json");
        // The engine's login is all that it asks for.
        await File.WriteAllTextAsync(config, JsonSerializer.Serialize(new { database = new { engineUrl = database.EngineUrl } }));
        string[] command = ["node", "register", "n1", "--region", "here", "--valid-for", "5", "--config", config];

        var (code, output, errors) = await RunningUp.RunAsync(command);
        code.ShouldBe(0, errors);
        NodeKeys.TryReadToken(output.Trim(), out var id, out _).ShouldBeTrue();
        errors.ShouldContain("about 93 such processes");
        var nodes = await database.Superuser.QueryAsync(
            "select id, name, region, token_expires_at between now() + interval '3 minutes' and now() + interval '5 minutes' from "
                + "weir.dtma_nodes", [],
            r => (r.GetGuid(0), r.GetString(1), r.GetString(2), r.GetBoolean(3)), CancellationToken.None);
        nodes.ShouldBe([(id, "n1", "here", true)]);

        // Before it has registered, another token for the same node.
        var another = await RunningUp.RunAsync(command);
        another.ExitCode.ShouldBe(0, another.Errors);
        NodeKeys.TryReadToken(another.Output.Trim(), out var same, out var newest).ShouldBeTrue();
        same.ShouldBe(id);
        await database.Superuser.ExecuteAsync(
            "select weir.register_node($1, sha256('its key'), 'http://127.0.0.1:1', '\\x00', 1, 'none', '{process}')",
            [Weir.Postgres.Sql.Bytea(newest)], CancellationToken.None);
        var again = await RunningUp.RunAsync(command);
        (again.ExitCode, again.Output).ShouldBe((1, ""));
        again.Errors.Trim().ShouldBe("weir: a node with this name is registered: choose another name");
    }
}
