using Weir.Errors;
using Weir.Gateway.Calls;
using Weir.Identity;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Gateway;

/// <summary>The audit log's code of a denial is the one that its caller heard.</summary>
public sealed class ReasonCodeTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task Each_reason_of_admission_has_the_code_that_its_caller_hears()
    {
        var codes = await database.Superuser.QueryAsync(
            """
            select reason, weir.reason_code(reason) from unnest(array['unknown', 'key_unknown', 'key_expired', 'key_revoked', 'agent_inactive', 'organization_inactive',
              'member_inactive', 'user_forbidden', 'instance_unknown', 'no_grant', 'grant_expired', 'item_not_granted', 'definition_not_approved', 'argument_rule', 'catalog_blocked', 'limit',
              'unavailable', 'changing', 'undecided', 'error']) reason
            """,
            [], r => (Reason: r.GetString(0), Code: r.GetString(1)), TestContext.Current.CancellationToken);

        foreach (var (reason, code) in codes)
        {
            Denials.ToException(new Decision(false, reason, null, null, null, null, null, null, null, null), Call()).Code.Sqlstate()
                .ShouldBe(code, reason);
        }
    }

    private static GovernedCall Call() => new()
    {
        Principal = Principal.OfPerson(Guid.Empty, Guid.Empty),
        Kind = CallKinds.Tool,
        ExposedName = "x",
        Body = default,
        Message = default!,
        RequestId = "1",
        SessionAffinity = "",
    };
}
