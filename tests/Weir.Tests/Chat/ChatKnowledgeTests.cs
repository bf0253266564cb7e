using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Weir.Postgres;

namespace Weir.Tests.Chat;

/// <summary>What an agent's documents add to a turn.</summary>
public sealed class ChatKnowledgeTests(ChatWorld weir) : IClassFixture<ChatWorld>
{
    [Fact]
    public async Task A_linked_document_that_fits_the_message_is_in_the_context_and_another_agents_is_not()
    {
        var (agent, other) = (await weir.CreateAgentAsync(), await weir.CreateAgentAsync());
        var id = await IngestAsync(agent, "handbook", "The espresso machine is descaled on Fridays with citric acid.");

        var (status, answer) = await weir.ChatAsync(agent, "When is the espresso machine descaled?");

        status.ShouldBe(HttpStatusCode.OK);
        var document = answer.GetProperty("context").GetProperty("documents").EnumerateArray().ShouldHaveSingleItem();
        document.GetProperty("id").GetGuid().ShouldBe(id);
        document.GetProperty("title").GetString().ShouldBe("Coffee");
        document.GetProperty("datastore").GetString().ShouldBe("handbook");
        document.GetProperty("score").GetDouble().ShouldBeInRange(0.01, 1);
        answer.GetProperty("degraded").EnumerateArray().ShouldBeEmpty();
        (await weir.ChatAsync(other, "When is the espresso machine descaled?")).Body.GetProperty("context").GetProperty("documents")
            .EnumerateArray().ShouldBeEmpty();
    }

    private async Task<Guid> IngestAsync(Guid agent, string datastore, string content)
    {
        var store =
            (await weir.World.CallAsync("select public.create_datastore($1, $2)", Sql.Uuid(weir.World.OrganizationId),
                Sql.Text(datastore))).GetProperty("id").GetGuid();
        await weir.World.CallAsync("select public.link_datastore($1, $2)", Sql.Uuid(store), Sql.Uuid(agent));
        using var client = weir.Client(weir.OwnerToken);
        using var response = await client.PostAsJsonAsync(
            "/functions/v1/documents", new { datastoreId = store, content, title = "Coffee" }, TestContext.Current.CancellationToken);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        response.StatusCode.ShouldBe(HttpStatusCode.OK, body.GetRawText());
        return body.GetProperty("id").GetGuid();
    }
}
