using System.Text.Json;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Journeys;

namespace Weir.Tests.Rest;

/// <summary>Unmodified supabase-js, from sign-in to sign-out.</summary>
public sealed class SupabaseJsTests(RestWorld weir) : IClassFixture<RestWorld>
{
    [Fact]
    public async Task It_signs_in_calls_reads_refreshes_and_signs_out()
    {
        var email = "owner-of-the-world@example.test";
        await weir.Database.Superuser.ExecuteAsync(
            "update auth.users set email = $2, encrypted_password = $3 where id = $1",
            [Sql.Uuid(weir.World.OwnerId), Sql.Text(email), Sql.Text(Logins.Hash("the right one"))], CancellationToken.None);
        var ids = JsonSerializer.Serialize(
            new
            {
                organization = weir.World.OrganizationId,
                workspace = weir.World.WorkspaceId,
                channel = weir.World.ChannelId,
                agent = weir.World.AgentId,
            });

        var seen = await NodeScript.RunAsync("rest.mjs", [weir.Url.ToString(), weir.AnonKey, email, "the right one", ids], node22: true);

        Error(seen, "anonymous").ShouldBe("401 42501");
        AuthError(seen, "wrongPassword").ShouldBe("400 invalid_credentials");
        AuthError(seen, "signUp").ShouldBe("422 signup_disabled");
        seen.GetProperty("signIn").GetProperty("user").GetString().ShouldBe(email, seen.GetProperty("signIn").ToString());
        seen.GetProperty("user").GetString().ShouldBe(email);

        Data(seen, "made").GetProperty("id").GetGuid().ShouldNotBe(Guid.Empty);
        Error(seen, "refused").ShouldBe("404 WR004");
        Error(seen, "unknownFunction").ShouldBe("404 PGRST202");
        Error(seen, "badValue").ShouldBe("400 22P02");
        Names(seen, "rows", "content").ShouldBe("100%|a \"quoted\" (word)");
        Data(seen, "byGet").GetArrayLength().ShouldBe(1);
        Error(seen, "writeByGet").ShouldBe("405 25006");

        Names(seen, "filtered").ShouldBe("c02|c01");
        Names(seen, "negated").ShouldBe("general");
        Names(seen, "or").ShouldBe("c03|c11|c12");
        Names(seen, "matched").ShouldBe("");
        Names(seen, "any").ShouldBe("c01");
        Names(seen, "range").ShouldBe("c03|c04|c05");
        (Count(seen, "range"), Status(seen, "range")).ShouldBe((12, 206));
        Count(seen, "head").ShouldBe(12);
        Data(seen, "single").GetProperty("name").GetString().ShouldBe("c07");
        Error(seen, "notSingle").ShouldBe("406 PGRST116");
        seen.GetProperty("maybeSingle").GetProperty("error").ValueKind.ShouldBe(JsonValueKind.Null);
        Data(seen, "maybeSingle").ValueKind.ShouldBe(JsonValueKind.Null);
        Data(seen, "json")[0].GetProperty("x").ValueKind.ShouldBe(JsonValueKind.Null);
        Error(seen, "badUuid").ShouldBe("400 22P02");
        Error(seen, "unknownTable").ShouldBe("404 PGRST205");
        Error(seen, "unknownColumn").ShouldBe("400 42703");
        Error(seen, "otherSchema").ShouldBe("406 PGRST106");
        Error(seen, "embedded").ShouldBe("400 PGRST127");
        Error(seen, "csv").ShouldBe("406 PGRST107");
        foreach (var write in new[] { "insert", "update", "upsert", "delete" })
        {
            Error(seen, write).ShouldBe("405 PGRST117");
            seen.GetProperty(write).GetProperty("error").GetProperty("hint").GetString()!.ShouldBe(
                $"See {RestWorld.PublicUrl}/docs/rest#writes");
        }

        seen.GetProperty("storage").GetProperty("message").GetString().ShouldBe("Weir has no storage.");
        seen.GetProperty("refresh").ToString().ShouldBe("""{"error":null,"changed":true}""");
        Names(seen, "afterRefresh").ShouldBe("c01");
        seen.GetProperty("signOut").ValueKind.ShouldBe(JsonValueKind.Null);
        Error(seen, "afterSignOut").ShouldBe("401 42501");
        seen.GetProperty("reuse").ValueKind.ShouldBe(JsonValueKind.Object);
        Data(seen, "accessToken").GetProperty("name").GetString().ShouldBe("c01");
    }

    private static JsonElement Data(JsonElement seen, string step) => seen.GetProperty(step).GetProperty("data");

    private static int Status(JsonElement seen, string step) => seen.GetProperty(step).GetProperty("status").GetInt32();

    private static int Count(JsonElement seen, string step) => seen.GetProperty(step).GetProperty("count").GetInt32();

    private static string Names(JsonElement seen, string step, string name = "name") =>
        Data(seen, step).ValueKind == JsonValueKind.Array
            ? string.Join('|', Data(seen, step).EnumerateArray().Select(row => row.GetProperty(name).GetString()))
            : seen.GetProperty(step).ToString();

    private static string Error(JsonElement seen, string step) =>
        $"{Status(seen, step)} {seen.GetProperty(step).GetProperty("error").GetProperty("code").GetString()}";

    private static string AuthError(JsonElement seen, string step) =>
        $"{seen.GetProperty(step).GetProperty("status").GetInt32()} {seen.GetProperty(step).GetProperty("code").GetString()}";
}
